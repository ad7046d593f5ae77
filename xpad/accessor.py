"""``ds.pad``: thin, stateless; its methods are the public functions.

xarray already has `Dataset.pad` and `DataArray.pad`. `PadAccess` is a
descriptor that gives xarray's own function on the class and an accessor that
calls it on an instance, so both live under the one name.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

import xarray as xr

import xpad
from xpad.methods import Method

if TYPE_CHECKING:
    from typing import Unpack

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

    _form = "As a method, ``{obj}.pad.{method}(…)`` is ``xpad.{function}({obj}, …)``."

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
        """The flux in one form, whatever form the data have: ``xpad.flux(obj)``.

        Returns
        -------
        xarray.DataArray
            float32, dims (record…, ``energy``, ``pitch_angle``), in the units of
            the data; NaN where nothing was measured. ``energy`` and
            ``pitch_angle`` (degrees) are ascending coordinates, and bins whose
            coordinate is fill are left out. An axis that changes from record to
            record has instead a table of values, ``energy_table`` or
            ``pitch_angle_table``. Lazy where the data are.

        Raises
        ------
        RolesError
            The flux or its pitch angles cannot be told from the metadata.
        """
        return xpad.flux(self._obj)

    @property
    def plot(self) -> PadPlots:
        """Pictures of a result: catalogue, labels, components, training, k."""
        from xpad.plot import PadPlots
        from xpad.roles.recognise import as_dataset

        return PadPlots(as_dataset(self._obj))

    recognise = Method(lambda: xpad.recognise)
    assign_roles = Method(lambda: xpad.assign_roles)
    check = Method(lambda: xpad.check)
    normalise = Method(lambda: xpad.normalise)
    fit = Method(lambda: xpad.fit)
    predict = Method(lambda: xpad.predict)
    encode = Method(lambda: xpad.encode)
    pca = Method(lambda: xpad.pca)
    label = Method(lambda: xpad.label)
    estimate_k = Method(lambda: xpad.estimate_k)
    cluster_to_zarr = Method(lambda: xpad.cluster_to_zarr)
    predict_to_zarr = Method(lambda: xpad.predict_to_zarr)
    catalogue = Method(lambda: xpad.catalogue)
    to_tplot = Method(lambda: xpad.to_tplot)

    if TYPE_CHECKING:  # mypy would take the first of its overloads for all

        @overload
        def cluster(
            self,
            variable: str | None = ...,
            *,
            preset: str = ...,
            settings: Settings | None = ...,
            prefix: str = ...,
            return_model: Literal[False] = ...,
            progress: bool | None = ...,
            **options: Unpack[FitOptions],
        ) -> xr.Dataset: ...
        @overload
        def cluster(
            self,
            variable: str | None = ...,
            *,
            preset: str = ...,
            settings: Settings | None = ...,
            prefix: str = ...,
            return_model: Literal[True],
            progress: bool | None = ...,
            **options: Unpack[FitOptions],
        ) -> tuple[xr.Dataset, Model]: ...
        def cluster(self, *args: Any, **options: Any) -> Any:
            """Sort the PADs into their typical shapes, as `xpad.cluster`."""

    else:
        cluster = Method(lambda: xpad.cluster)


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
