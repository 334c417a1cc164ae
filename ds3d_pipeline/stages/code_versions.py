"""The version of every stage's code: raise a stage's when it makes other files of the same input.

The number goes into the stage's fingerprint, so its stored files and those made of them count as stale, and
into the asset's `code_version`, so the UI says so.
"""

CODE_VERSIONS: dict[str, str] = {
    "capture": "1",
    "keyframes": "1",
    "poses": "2",
    "depth_maps": "5",
    "pointcloud": "4",
    "mesh": "3",
    "splat": "4",
    "metrics": "1",
}
