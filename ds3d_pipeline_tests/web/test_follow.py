"""One reader a job, the newest status for everybody, and no backlog."""

import asyncio

import pytest

from ds3d_pipeline.web import follow
from ds3d_pipeline.web.follow import Follower
from ds3d_pipeline.web.problems import Problem
from ds3d_pipeline.web.status import Facts, RunFacts, job_status


def status(state: str = "running", number: int = 0):
    run = RunFacts(
        run_id=str(number), run_key="", capture="fox", name="", mode="fastest", state=state, created_at=1.0
    )
    return job_status(Facts(job_id="fox", name="fox", registered_at=0.0, run=run))


class Readings:
    """A read that gives one status after the other, and the last one for ever."""

    def __init__(self, *statuses):
        self.statuses, self.reads = list(statuses), 0

    def __call__(self, job):
        self.reads += 1
        found = self.statuses[0] if len(self.statuses) == 1 else self.statuses.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


async def received(queue, count):
    return [await asyncio.wait_for(queue.get(), 5) for _ in range(count)]


def test_every_listener_gets_the_status_at_once_and_one_reader_serves_all():
    async def body():
        read = Readings(status())
        follower = Follower(read, tick_s=0.05)
        async with follower.listening("fox") as first:
            await received(first, 1)
            async with follower.listening("fox") as second:
                assert second.get_nowait() == status()
                before = read.reads
                await asyncio.sleep(0.2)
                assert read.reads - before <= 5
                assert second.empty()

    asyncio.run(body())


def test_a_slow_listener_gets_the_newest_and_no_backlog():
    async def body():
        follower = Follower(Readings(*(status(number=n) for n in range(20))), tick_s=0.001)
        async with follower.listening("fox") as queue:
            await asyncio.sleep(0.3)
            (newest,) = await received(queue, 1)
            assert newest.run_id == "19"
            assert queue.empty()

    asyncio.run(body())


def test_reading_ends_with_the_job_and_with_the_last_listener():
    async def body():
        ending, going = Readings(status(), status("finished")), Readings(status())
        follower = Follower(ending, tick_s=0.001)
        async with follower.listening("fox") as queue:
            await asyncio.sleep(0.1)
            assert [found.state for found in await received(queue, 1)] == ["finished"]
            assert ending.reads == 2
        follower = Follower(going, tick_s=0.001)
        async with follower.listening("fox"):
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)
        before = going.reads
        await asyncio.sleep(0.05)
        assert (going.reads, follower.listeners) == (before, 0)

    asyncio.run(body())


@pytest.mark.parametrize(
    ("error", "code"), [(Problem(404, "There is none.", "See."), 404), (OSError("disk"), 500)]
)
def test_a_job_that_cannot_be_read_is_told_to_who_listens(error, code):
    async def body():
        follower = Follower(Readings(error), tick_s=0.001)
        async with follower.listening("fox") as queue:
            (found,) = await received(queue, 1)
            assert found.status == code

    asyncio.run(body())


def test_one_listener_too_many_is_refused(monkeypatch):
    monkeypatch.setattr(follow, "MOST_LISTENERS", 2)

    async def body():
        follower = Follower(Readings(status()), tick_s=0.01)
        async with follower.listening("a"), follower.listening("b"):
            with pytest.raises(Problem, match="Too many"):
                async with follower.listening("c"):
                    pass
            assert follower.listeners == 2

    asyncio.run(body())
