"""What was sent to the server: what it takes of the disk."""

import os

from ds3d_pipeline.web.received import received_bytes


def test_what_a_stored_stage_shares_is_not_counted_twice(tmp_path):
    received, bundle = tmp_path / "received", tmp_path / "bundle"
    received.mkdir()
    bundle.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (received / name).write_bytes(b"0" * 1000)
    assert received_bytes([received]) == 2000
    os.link(received / "a.jpg", bundle / "000001.jpg")
    assert received_bytes([received]) == 1000
