"""``ds.pad``: thin, stateless, forwards to the functions.

xarray already has `Dataset.pad` and `DataArray.pad`. `PadAccess` is a
descriptor that gives xarray's own function on the class and an accessor that
calls it on an instance, so both live under the one name.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import xarray as xr

if TYPE_CHECKING:
    from typing import Unpack

    from xpad.diagnostics.check import Check
    from xpad.fitting.resources import FitOptions
    from xpad.model.model import Model
    from xpad.plot import PadPlots
    from xpad.settings import Settings

T = TypeVar("T", xr.Dataset, xr.DataArray)


class PadAccessor(Generic[T]):
    """Pitch-angle distributions of one Dataset or DataArray.

    Called, it is xarray's own `pad`. Every method is also a function of
    xpad: ``ds.pad.cluster(k=6)`` is ``xpad.cluster(ds, k=6)``.
    """

    __slots__ = ("_obj", "_original")

    def __init__(self, obj: T, original: Any) -> None:
        self._obj: T = obj
        self._original = original

    def __call__(self, *args: Any, **kwargs: Any) -> T:
        """Call xarray's own `pad`: pad along dimensions."""
        return self._original(self._obj, *args, **kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        signature = inspect.signature(self._original)
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    @property
    def __wrapped__(self) -> Any:
        return self._original.__get__(self._obj)

    def __repr__(self) -> str:
        from xpad.roles import describe as formatting

        return formatting.text(self._obj)

    def _repr_html_(self) -> str:
        from xpad.roles import describe as formatting

        return formatting.html(self._obj)

    @property
    def flux(self) -> xr.DataArray:
        """The flux in one form; see `xpad.canonical_flux`."""
        import xpad

        return xpad.canonical_flux(self._obj)

    @property
    def plot(self) -> PadPlots:
        """Pictures of a result: catalogue, labels, components, training, k."""
        from xpad.plot import PadPlots
        from xpad.roles.recognise import as_dataset

        return PadPlots(as_dataset(self._obj))

    def assign_roles(
        self,
        *,
        flux: str | Sequence[str] | None = None,
        energy: str | None = None,
        pitch_angle: str | None = None,
    ) -> T:
        """State roles where recognition needs help; see `xpad.assign_roles`."""
        import xpad

        found: T = xpad.assign_roles(self._obj, flux=flux, energy=energy, pitch_angle=pitch_angle)
        return found

    def check(self, variable: str | None = None, **options: Any) -> Check:
        """Usable records, why others are not, bins never measured; see `xpad.check`."""
        import xpad

        return xpad.check(self._obj, variable, **options)

    def normalise(self, method: str = "max", variable: str | None = None) -> xr.DataArray:
        """Each PAD over its reference; see `xpad.normalise`."""
        import xpad

        return xpad.normalise(self._obj, method, variable)

    def fit(
        self,
        variable: str | None = None,
        *,
        preset: str = "killey2023",
        settings: Settings | None = None,
        progress: bool | None = None,
        **options: Unpack[FitOptions],
    ) -> Model:
        """Fit the pipeline; see `xpad.fit`."""
        import xpad

        return xpad.fit(
            self._obj, variable, preset=preset, settings=settings, progress=progress, **options
        )

    def cluster(
        self,
        variable: str | None = None,
        *,
        preset: str = "killey2023",
        settings: Settings | None = None,
        prefix: str = "pad",
        return_model: bool = False,
        progress: bool | None = None,
        **options: Unpack[FitOptions],
    ) -> Any:
        """Sort the PADs into their typical shapes; see `xpad.cluster`."""
        import xpad

        # The overloads go by the literal value of return_model, which is any bool here.
        return xpad.cluster(  # type: ignore[call-overload]
            self._obj,
            variable,
            preset=preset,
            settings=settings,
            prefix=prefix,
            return_model=return_model,
            progress=progress,
            **options,
        )

    def predict(
        self, model: Model, variable: str | None = None, *, prefix: str = "pad"
    ) -> xr.Dataset:
        """Label every record with a model; see `xpad.predict`."""
        import xpad

        return xpad.predict(self._obj, model, variable, prefix=prefix)

    def encode(self, model: Model, variable: str | None = None) -> xr.DataArray:
        """The encoding of each PAD; see `xpad.encode`."""
        import xpad

        return xpad.encode(self._obj, model, variable)

    def pca(self, model: Model, variable: str | None = None) -> xr.DataArray:
        """The principal components of each PAD; see `xpad.pca`."""
        import xpad

        return xpad.pca(self._obj, model, variable)

    def label(self, model: Model, variable: str | None = None) -> xr.DataArray:
        """The cluster of each PAD; see `xpad.label`."""
        import xpad

        return xpad.label(self._obj, model, variable)

    def estimate_k(self, model: Model, variable: str | None = None, **options: Any) -> xr.Dataset:
        """The evidence for the number of clusters; see `xpad.estimate_k`."""
        import xpad

        return xpad.estimate_k(self._obj, model, variable, **options)

    def catalogue(self, *, prefix: str = "pad") -> xr.Dataset:
        """One entry per cluster: mean PAD, count, share; see `xpad.catalogue`."""
        import xpad
        from xpad.roles.recognise import as_dataset

        return xpad.catalogue(as_dataset(self._obj), prefix=prefix)


class PadAccess:
    """Descriptor: xarray's own `pad` on the class, a `PadAccessor` on an instance."""

    def __init__(self, original: Any) -> None:
        self._original = original
        self.__doc__ = original.__doc__

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self._original
        return PadAccessor(instance, self._original)


def register() -> None:
    """Put the accessor under ``pad``; doing so twice changes nothing."""
    for owner in (xr.Dataset, xr.DataArray):
        if not isinstance(inspect.getattr_static(owner, "pad"), PadAccess):
            # xarray declares a method here; a descriptor that gives that method is what is meant.
            owner.pad = PadAccess(owner.pad)  # type: ignore[method-assign, assignment]
