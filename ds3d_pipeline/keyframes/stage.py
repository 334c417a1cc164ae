"""The keyframes stage: from a capture to `images/`, `keyframes.json` and two images for people."""

from __future__ import annotations

import numpy as np

from ds3d_pipeline.keyframes.contact_sheet import write_contact_sheet
from ds3d_pipeline.keyframes.options import KeyframesOptions
from ds3d_pipeline.keyframes.photos import photo_keyframes
from ds3d_pipeline.keyframes.report import KeyframesReport
from ds3d_pipeline.keyframes.sharpness_plot import Chosen, write_sharpness_plot
from ds3d_pipeline.keyframes.video import video_keyframes
from ds3d_pipeline.programs.contract import Work
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.programs.words import plural
from ds3d_pipeline.scene import Capture


def choose_keyframes(work: Work[KeyframesOptions]) -> KeyframesReport:
    """INPUT/`capture.json` (scene.Capture) and `source/` -> OUTPUT/`keyframes.json` (scene.Keyframes),
    `images/000001.jpg` and so on, `contact_sheet.jpg` and `sharpness.png`.

    Raises InputError, naming the file, where no frame is usable.
    """
    capture = read_json(work.input / "capture.json", Capture)
    images = work.output / "images"
    images.mkdir()
    choose = video_keyframes if capture.kind == "video" else photo_keyframes
    chosen = choose(capture, work)
    write_json(work.output / "keyframes.json", chosen.keyframes)
    write_contact_sheet(work.output / "contact_sheet.jpg", images, chosen.keyframes.frames)
    write_sharpness_plot(work.output / "sharpness.png", chosen.plot, x_label=chosen.x_label)
    work.progress(1.0, plural(len(chosen.keyframes.frames), "keyframe"))
    return _result(chosen)


def _result(chosen: Chosen) -> KeyframesReport:
    frames = chosen.keyframes.frames
    return KeyframesReport(
        kept=len(frames),
        considered=chosen.keyframes.considered,
        dropped=chosen.keyframes.dropped,
        median_sharpness=round(float(np.median([frame.sharpness for frame in frames])), 4),
        size=frames[0].size_wh,
        cameras=len({frame.camera for frame in frames}),
        **chosen.numbers,
    )
