"""Why a program ended, from its log."""

import pytest

from ds3d_pipeline.programs.causes import MEMORY, cause_in

IMPORT = """INFO loading
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    import _core
ImportError: libgomp.so: failed to map segment: Cannot allocate memory

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "b.py", line 3, in <module>
    import pycolmap
ImportError: {text}
Try to install it again:

    $ python -m pip install pycolmap/
$ python -m pip install pycolmap/
"""


@pytest.mark.fault("limit of address space")
def test_the_last_line_is_not_the_cause():
    assert (
        cause_in(IMPORT.format(text="libsomething.so: not found"))
        == "ImportError: libsomething.so: not found."
    )


@pytest.mark.fault("limit of address space")
def test_a_known_message_below_the_exception_is_the_cause():
    assert cause_in(IMPORT.format(text="_core: Cannot allocate memory")) == MEMORY


@pytest.mark.parametrize(
    ("log", "text"),
    [
        (
            "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
            MEMORY,
        ),
        ("cp: error writing 'x': No space left on device", "The disk is full"),
        ("RuntimeError: CUDA out of memory. Tried to allocate 20 MiB", "The GPU's memory is full"),
    ],
)
def test_a_program_without_traceback_may_say_it_in_its_last_lines(log, text):
    assert text in str(cause_in(log))


@pytest.mark.parametrize(
    "log", ["", "INFO all is well\n", "No space left on device, so using less\n" + "INFO\n" * 30]
)
def test_a_log_that_says_nothing_gives_no_cause(log):
    assert cause_in(log) is None


def test_an_exception_of_many_words_is_cut_and_its_source_line_left_out():
    log = (
        "Traceback (most recent call last):\n  File 'x', line 1\n    raise ValueError\nValueError: "
        + "a" * 999
    )
    cause = str(cause_in(log))
    assert cause.startswith("ValueError: aaa")
    assert len(cause) <= 301
