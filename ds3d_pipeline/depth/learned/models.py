"""Which monocular depth model is used, where its file is, and how it gets there."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.programs.folders import file_sha256
from ds3d_pipeline.storage.home import find_home

FETCH = "Run `ds3d models fetch`."


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """One file of a Hugging Face repository at a revision, or the user's own (`repository` is empty)."""

    file: str
    repository: str = ""
    revision: str = ""
    sha256: str = ""
    """Empty where nothing is known to compare with."""

    @property
    def folder(self) -> Path:
        """Where the repository's files at this revision are kept: `models/` of the home."""
        return find_home().root / "models" / self.repository.replace("/", "--") / self.revision

    @property
    def path(self) -> Path:
        """The file on this machine, whether it is there or not."""
        return self.folder / self.file if self.repository else Path(self.file).expanduser()


DEFAULT_MODEL = ModelFile(
    repository="onnx-community/depth-anything-v2-small",
    revision="4472b7362082ad9968fee890ca0f1e5aca36b93d",
    file="onnx/model.onnx",
    sha256="afb6a5c28f3b6bf1618c6e43f02073ef9dfdc70e937502d51603e57b0a1df10c",
)
"""Depth Anything V2 Small (Yang et al. 2024), Apache-2.0, 99 MB."""


def wanted_model(options: DepthOptions) -> ModelFile:
    """The model that the options name: `owner/repository@revision:file`, a path, or the default."""
    if not options.model:
        return DEFAULT_MODEL
    repository, at, rest = options.model.partition("@")
    revision, colon, file = rest.partition(":")
    if at and colon and repository.count("/") == 1:
        return ModelFile(
            repository=repository, revision=revision, file=file, sha256=options.model_sha256.lower()
        )
    return ModelFile(file=options.model, sha256=options.model_sha256.lower())


def can_estimate(options: DepthOptions) -> str | None:
    """The probe of the monocular rung: None, or why no model can run here.

    A damaged file counts as none, so that the files made without it are made again once it is whole.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        return "ONNX Runtime is not installed: install the extra `cpu` or `gpu`."
    model = wanted_model(options)
    if options.fetch_model and model.repository:
        return None
    try:
        verify_model(model)
    except StageError as error:
        return str(error)
    return None


def usable_model(options: DepthOptions) -> Path:
    """The model's file, checked, and fetched first where it is missing or damaged and the options allow that.

    Raises StageError where it is missing, cannot be fetched or is not what it should be.
    """
    model = wanted_model(options)
    return fetch_model(model) if options.fetch_model else verify_model(model)


def verify_model(model: ModelFile) -> Path:
    """The model's file where it is there and has its checksum; raises StageError where not."""
    if not model.path.is_file():
        raise StageError(f"There is no depth model at {model.path}.", _how_to_get(model))
    found = file_sha256(model.path)
    if model.sha256 and found != model.sha256:
        cause = f"{model.path} is damaged or another file: its SHA-256 begins with {found[:12]}"
        raise StageError(f"{cause}, expected {model.sha256[:12]}.", _how_to_get(model))
    return model.path


def fetch_model(model: ModelFile) -> Path:
    """Downloads a model from Hugging Face into the home, unless it is there and good, and checks it.

    A file that does not have its checksum is not kept. Raises StageError where that fails.
    """
    if not model.repository:
        return verify_model(model)
    try:
        return verify_model(model)
    except StageError:
        model.path.unlink(missing_ok=True)
    _download(model)
    try:
        return verify_model(model)
    except StageError:
        model.path.unlink(missing_ok=True)
        raise


def _download(model: ModelFile) -> None:
    import huggingface_hub

    try:
        huggingface_hub.hf_hub_download(
            model.repository, model.file, revision=model.revision, local_dir=model.folder
        )
    # The library's errors are OSErrors where the network or the server fails, ValueErrors for a wrong name.
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        cause = f"{model.repository} could not be fetched ({reason.rstrip('.')})."
        raise StageError(cause, f"Try again with a network, or put {model.file} at {model.path}.") from error


def _how_to_get(model: ModelFile) -> str:
    return FETCH if model.repository else "Name an ONNX file that is there in `depth_maps.model`."
