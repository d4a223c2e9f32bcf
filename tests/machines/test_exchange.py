import asyncio

import pytest

pytest.importorskip("ray", reason="the extra 'cluster' is not installed")

from hts_tf.machines.exchange import Exchange, Meeting

FIRST = Meeting(channel=0, count=0)


def test_all_get_what_all_have_brought_in_their_order():
    async def meet():
        exchange = Exchange(3)
        return await asyncio.gather(*(exchange.meet(FIRST, n, f"of {n}") for n in (2, 0, 1)))

    assert asyncio.run(meet()) == [["of 0", "of 1", "of 2"]] * 3


def test_channels_may_come_in_any_order():
    async def one(exchange, number, channels):
        found = {}
        for channel in channels:
            found[channel] = await exchange.meet(Meeting(channel, 0), number, (channel, number))
        return found

    async def meet():
        exchange = Exchange(2)
        there = one(exchange, 1, [1])
        first = asyncio.gather(exchange.meet(Meeting(0, 0), 0, "a"), one(exchange, 0, [1]))
        await there
        return await asyncio.gather(first, exchange.meet(Meeting(0, 0), 1, "b"))

    (of_channel_0, of_channel_1), there = asyncio.run(meet())
    assert of_channel_0 == there == ["a", "b"]
    assert of_channel_1 == {1: [(1, 0), (1, 1)]}


def test_who_waits_and_who_comes_later_hears_of_a_loss():
    async def meet():
        exchange = Exchange(3)
        waiting = [asyncio.create_task(exchange.meet(FIRST, n, b"")) for n in (0, 2)]
        await asyncio.sleep(0)
        assert await exchange.missing(FIRST) == [1]
        await exchange.abort("machine 1 is lost")
        later = exchange.meet(Meeting(5, 0), 0, b"")
        return await asyncio.gather(*waiting, later, return_exceptions=True)

    said = asyncio.run(meet())
    assert len(said) == 3
    assert all(type(error) is RuntimeError for error in said)
    assert {str(error) for error in said} == {"machine 1 is lost"}


def test_meetings_of_long_ago_are_forgotten():
    async def meet():
        exchange = Exchange(1)
        for count in range(100):
            await exchange.meet(Meeting(0, count), 0, b"")
            await exchange.meet(Meeting(1, count), 0, b"")
        return len(exchange._meetings)

    assert asyncio.run(meet()) <= 6
