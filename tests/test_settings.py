"""Settings: a fast training brings numbers of its own, which the caller's go before."""

import pytest

import xpad
from xpad.errors import OptionError
from xpad.settings import FAST, Settings, resolve


def test_fast_training_sets_what_the_caller_does_not():
    settings = resolve("killey2023", {"training": "fast", "epochs": 3})
    assert (settings.epochs, settings.min_steps) == (3, 0)  # so many epochs, and no more
    for name in ("learning_rate", "patience"):
        assert getattr(settings, name) == FAST[name]
    assert resolve("killey2023", {"training": "fast"}).min_steps == FAST["min_steps"]
    both = resolve("killey2023", {"training": "fast", "epochs": 3, "min_steps": 9})
    assert (both.epochs, both.min_steps) == (3, 9)
    assert Settings.from_dict(settings.as_dict()) == settings
    assert resolve("killey2023", {}).training == "published"


def test_unknown_training_is_refused():
    with pytest.raises(OptionError, match="'published', 'fast'"):
        resolve("killey2023", {"training": "quick"})


def test_fast_training_takes_its_least_number_of_steps():
    model = xpad.fit(xpad.simulate(days=0.3), training="fast", k=4, progress=False)
    assert model.settings.training == "fast"
    assert model.history.attrs["steps"] >= FAST["min_steps"]
    assert float(model.history.val_loss[-1]) < float(model.history.val_loss[0])
