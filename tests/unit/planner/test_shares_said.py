"""Which sentences share the machine out among several programs, and which only sound like it."""

from __future__ import annotations

import pytest

from nlsh.plan import registry
from nlsh.planner.shares_said import read


@pytest.mark.parametrize(
    ("sentence", "plan"),
    [
        ("give train 80% of the cpu and serve 50%", '["train", "serve"], share=["80%", "50%"]'),
        ("give train 70%, serve 20% and render 30% of the processor", '["train", "serve", "render"], share=["70%", "20%", "30%"]'),
        ("give train half of the processor and serve the other half", '["train", "serve"], share=["half", "half"]'),
        ("give train 60% of the machine, serve the rest, and keep nginx responsive", '["train", "serve"], share=["60%", "40%"], first="nginx"'),
        ("limit train to 80% and serve to 50 percent of the cpu", '["train", "serve"], share=["80%", "50%"]'),
        ("share the cpu: 70% to train, a quarter to serve", '["train", "serve"], share=["70%", "a quarter"]'),
        ("train gets 70% of the cpu and serve 20% without slowing down nginx", '["train", "serve"], share=["70%", "20%"], first="nginx"'),
        ("把train限制到80%的CPU，serve限制到50%", '["train", "serve"], share=["80%", "50%"]'),
        ("train用一半的CPU，serve用25%，保证nginx响应快", '["train", "serve"], share=["一半", "25%"], first="nginx"'),
        ("give train a third of the cpu, serve 20% and render the rest", '["train", "serve", "render"], share=["a third", "20%", "46.6667%"]'),
        ("give train all of the cpu and keep serve responsive", '"train", share="100%", first="serve"'),
        ("give train two thirds and serve the rest of the cpu", '["train", "serve"], share=["two thirds", "33.3333%"]'),
        ("give train three quarters and serve a quarter of the cpu", '["train", "serve"], share=["three quarters", "a quarter"]'),
        ("让train用七成，serve用三成CPU", '["train", "serve"], share=["七成", "三成"]'),
        ("give train 150% and serve the rest of the cpu", ""),
        ("give train 80% of the cpu", ""),
        ("give train 30% of the cpu and train 20%", ""),
        ("which processes use 80% of the cpu and 50% of memory", ""),
        ("limit train to 80% of the cpu and 500MB of memory", ""),
        ("resize a.png to 50% and b.png to 20%", ""),
        ("kill train at 80% and serve at 50% of the cpu", ""),
    ],
)
def test_shares(sentence: str, plan: str) -> None:
    answer = read(sentence)
    assert (answer and registry.format(answer.readings[0].plan)) == (f"resource.share({plan})" if plan else None)
    if answer:
        # What is read is what the action takes.
        (call,) = answer.readings[0].plan.calls
        registry.get(call.action).Args.bind(call.action, call.args)
