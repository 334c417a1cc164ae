"""The exhibit in the browser through viser: layers to toggle, cameras to look through."""

from __future__ import annotations

import contextlib
import io
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.formats.images import read_thumbnail
from ds3d_pipeline.geometry.conventions import DOWN_IN_WORLD
from ds3d_pipeline.geometry.transforms import invert_rigid, quat_wxyz_from_rotation, rotation_from_quat_wxyz
from ds3d_pipeline.scene import Float64, Gaussians, Reconstruction, UInt8, View
from ds3d_pipeline.splats.light import SH_C0
from ds3d_pipeline.viewer.finished import Exhibit
from ds3d_pipeline.viewer.stand import Stand, find_stand

if TYPE_CHECKING:
    import viser

HOST = "127.0.0.1"
PORTS_TRIED = 100
LAST_PORT = 65_535
THUMBNAIL_PX = 160
PICTURE_PX = 640
_FRUSTUM = 0.045
"""Length of a frustum over the typical distance between cameras and scene."""
log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class _Layer:
    """What one checkbox shows and hides."""

    label: str
    handles: list[Any] = field(default_factory=list)
    visible: bool = True


def start_viewer(exhibit: Exhibit, port: int) -> viser.ViserServer:
    """A running server for this machine's browser only, at `port` or the next one that is free.

    Raises InputError where no port can be had.
    """
    import viser

    from ds3d_pipeline.viewer.guard import guarded

    port = find_port(port)
    with _quietly(), guarded():
        server = viser.ViserServer(host=HOST, port=port, label=f"ds3d: {exhibit.name}", verbose=False)
    server.gui.configure_theme(show_logo=False, show_share_button=False, dark_mode=True)
    server.scene.set_up_direction(tuple(-DOWN_IN_WORLD))
    show(server, exhibit)
    return server


def show(server: viser.ViserServer, exhibit: Exhibit) -> viser.GuiImageHandle | None:
    """Puts the exhibit in the place of what was shown before; who looks on stays where they are.

    Returns what shows its picture.
    """
    server.scene.reset()
    server.gui.reset()
    stand = find_stand(exhibit)
    server.initial_camera.position = tuple(stand.position)
    server.initial_camera.look_at = tuple(stand.look_at)
    server.gui.add_markdown(f"**{exhibit.name}**" + (f"\n\n{exhibit.note}" if exhibit.note else ""))
    picture = None
    if exhibit.picture is not None:
        picture = server.gui.add_image(read_picture(exhibit.picture), format="jpeg", jpeg_quality=85)
    for layer in _add_surfaces(server, exhibit, stand):
        _add_toggle(server, layer)
    if exhibit.reconstruction is not None:
        _add_sparse(server, exhibit, exhibit.reconstruction, stand)
        _add_cameras(server, exhibit, exhibit.reconstruction, stand)
    return picture


def read_picture(path: Path) -> UInt8:
    """Small enough for the panel."""
    return np.asarray(read_thumbnail(path, (PICTURE_PX, PICTURE_PX)))


def find_port(wanted: int) -> int:
    """The first port from `wanted` on that can be served at.

    viser would look for one too, but waits for ever where there is none.
    """
    for port in range(wanted, min(wanted + PORTS_TRIED, LAST_PORT + 1)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except PermissionError as error:
                raise InputError(f"Port {port} needs special rights.", "Choose one above 1023.") from error
            except OSError:
                continue
            return port
    raise InputError(f"Port {wanted} and those after it are in use.", "Choose another one with --port.")


def stop_viewer(server: viser.ViserServer) -> None:
    """Ends the server and its threads."""
    with _quietly():
        server.stop()


def _quietly() -> contextlib.redirect_stdout[io.StringIO]:
    """viser prints what it does; the command line says that in its own words."""
    return contextlib.redirect_stdout(io.StringIO())


def _add_surfaces(server: viser.ViserServer, exhibit: Exhibit, stand: Stand) -> list[_Layer]:
    layers: list[_Layer] = []
    if exhibit.splat is not None:
        shown, whole = len(exhibit.splat.means), exhibit.gaussians_in_file
        label = f"Splat ({shown:,} of {whole:,})" if shown < whole else f"Splat ({shown:,})"
        layers.append(_Layer(label=label, handles=[_add_splat(server, exhibit.splat)]))
    if exhibit.mesh is not None:
        pose = exhibit.mesh.world_from_gltf
        handle = server.scene.add_glb(
            "/mesh",
            exhibit.mesh.data,
            wxyz=quat_wxyz_from_rotation(pose[:3, :3]),
            position=pose[:3, 3],
        )
        layers.append(_Layer(label="Mesh", handles=[handle], visible=not layers))
    if exhibit.points is not None:
        count = len(exhibit.points.points_in_world)
        handle = server.scene.add_point_cloud(
            "/points",
            exhibit.points.points_in_world,
            exhibit.points.colors,
            point_size=0.003 * stand.distance,
            point_shape="circle",
            precision="float32",
        )
        layers.append(_Layer(label=f"Points ({count:,})", handles=[handle], visible=not layers))
    return layers


def _add_sparse(server: viser.ViserServer, exhibit: Exhibit, model: Reconstruction, stand: Stand) -> None:
    """The points that the cameras were found by, as long as there is nothing better."""
    if exhibit.splat is not None or exhibit.mesh is not None or exhibit.points is not None:
        return
    server.scene.add_point_cloud(
        "/sparse",
        model.points_in_world.astype(np.float32),
        model.colors,
        point_size=0.006 * stand.distance,
        point_shape="circle",
        precision="float32",
    )


def _add_splat(server: viser.ViserServer, splat: Gaussians) -> Any:
    return server.scene.add_gaussian_splats(
        "/splat",
        centers=splat.means,
        covariances=covariances(splat),
        rgbs=np.clip(0.5 + SH_C0 * splat.sh_coeffs[:, 0], 0, 1),
        opacities=1 / (1 + np.exp(-splat.opacity_logits[:, None])),
    )


def covariances(splat: Gaussians) -> Float64:
    """(N, 3, 3) R diag(s)^2 R^T of every Gaussian."""
    axes = rotation_from_quat_wxyz(splat.quats_wxyz) * np.exp(splat.log_scales.astype(np.float64))[:, None]
    return axes @ axes.transpose(0, 2, 1)


def _add_toggle(server: viser.ViserServer, layer: _Layer) -> Any:
    def show(visible: bool) -> None:
        for handle in layer.handles:
            handle.visible = visible

    show(layer.visible)
    box = server.gui.add_checkbox(layer.label, layer.visible)
    box.on_update(lambda _: show(box.value))
    return box


def _add_cameras(server: viser.ViserServer, exhibit: Exhibit, model: Reconstruction, stand: Stand) -> None:
    layer = _Layer(label=f"Cameras ({len(model.views)})")
    pictures = [_thumbnail(exhibit.images / view.image) for view in model.views]
    chosen = _CameraChoice(server, model.views, stand)
    for number, (view, picture) in enumerate(zip(model.views, pictures, strict=True)):
        frustum = _add_frustum(server, view, picture, stand)
        frustum.on_click(chosen.by_click(number))
        layer.handles.append(frustum)
    box = _add_toggle(server, layer)
    chosen.add_controls(box)


class _CameraChoice:
    """Which camera the user looks through, by click or by slider."""

    def __init__(self, server: viser.ViserServer, views: Sequence[View], stand: Stand) -> None:
        self._server = server
        self._views = views
        self._stand = stand
        self._box: Any = None
        self._slider: Any = None

    def add_controls(self, cameras_box: Any) -> None:
        """A slider over the cameras, and the way back."""
        gui = self._server.gui
        self._box = cameras_box
        self._slider = gui.add_slider("Camera", 1, max(len(self._views), 2), 1, 1)
        through = gui.add_button("Look through this camera")
        back = gui.add_button("Back to the whole scene")
        through.on_click(lambda event: self._look(event.client, self._slider.value - 1))
        back.on_click(lambda event: self._leave(event.client))

    def by_click(self, number: int) -> Callable[[Any], None]:
        """The callback of one frustum."""

        def look(event: Any) -> None:
            self._slider.value = number + 1
            self._look(event.client, number)

        return look

    def _look(self, client: Any, number: int) -> None:
        view = self._views[min(number, len(self._views) - 1)]
        # The photo in its frustum would be in front of what that camera sees.
        self._box.value = False
        look_through(client, view, self._stand.distance)

    def _leave(self, client: Any) -> None:
        self._box.value = True
        with client.atomic():
            client.camera.up_direction = -DOWN_IN_WORLD
            client.camera.position = self._stand.position
            client.camera.look_at = self._stand.look_at


def look_through(client: Any, view: View, distance: float) -> None:
    """Puts a client's camera where the photo was taken, wide enough to show all of the photo."""
    world_from_cam = invert_rigid(view.cam_from_world)
    rotation, centre = world_from_cam[:3, :3], world_from_cam[:3, 3]
    with client.atomic():
        client.camera.up_direction = -rotation[:, 1]
        client.camera.position = centre
        client.camera.look_at = centre + distance * rotation[:, 2]
        client.camera.fov = fov_that_shows(view, client.camera.aspect)


def fov_that_shows(view: View, aspect: float) -> float:
    """The vertical field of view (radians) at which a window of this aspect shows the whole photo."""
    width, height = view.image_size_wh
    tangent = max(height / view.K[1, 1], width / view.K[0, 0] / aspect) / 2
    return float(2 * np.arctan(tangent))


def _add_frustum(server: viser.ViserServer, view: View, picture: UInt8 | None, stand: Stand) -> Any:
    world_from_cam = invert_rigid(view.cam_from_world)
    width, height = view.image_size_wh
    return server.scene.add_camera_frustum(
        f"/cameras/{view.image}",
        fov=float(2 * np.arctan(height / 2 / view.K[1, 1])),
        aspect=width / height,
        scale=_FRUSTUM * stand.distance,
        thickness=0.001 * stand.distance,
        color=(90, 160, 255),
        image=picture,
        jpeg_quality=80,
        format="jpeg",
        wxyz=quat_wxyz_from_rotation(world_from_cam[:3, :3]),
        position=world_from_cam[:3, 3],
        cast_shadow=False,
        receive_shadow=False,
    )


def _thumbnail(path: Path) -> UInt8 | None:
    """A small RGB picture; None, with a warning, where the file is gone: the frustum then stays empty."""
    if not path.is_file():
        log.warning("%s is missing", path)
        return None
    return np.asarray(read_thumbnail(path, (THUMBNAIL_PX, THUMBNAIL_PX)))
