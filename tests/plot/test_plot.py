"""What the pictures show, without looking at them."""

import io
import itertools
import warnings

import dask
import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.colors import to_hex, to_rgb
from matplotlib.dates import date2num

from xpad.errors import OptionError, RolesError
from xpad.plot import PadPlots, style
from xpad.plot.catalogue import plot_catalogue
from xpad.plot.columns import columns_of
from xpad.plot.components import plot_components
from xpad.plot.k import plot_k
from xpad.plot.labels import label_shares, plot_labels
from xpad.plot.training import plot_training
from xpad.statistics.catalogue import catalogue
from xpad.statistics.spectrogram import quicklook

N, K = 400, 3
ANGLES = np.linspace(5.0, 175.0, 9)
ENERGIES = np.array([1.8, 2.6, 5.2, 7.7, 9.9, 12.3, 20.0])
START, STEP = np.datetime64("2013-03-01", "ns"), np.timedelta64(11_000_000_000, "ns")


class CountingScheduler:
    """A dask scheduler that counts how often anything is computed."""

    def __init__(self) -> None:
        self.computes = 0

    def __call__(self, graph, keys, **options):
        self.computes += 1
        return dask.get(graph, keys, **options)


@pytest.fixture(autouse=True)
def clean_matplotlib():
    """No picture changes matplotlib's settings; what a test draws is closed after it."""
    before, backend = mpl.rcParams.copy(), mpl.get_backend()
    yield
    assert dict(mpl.rcParams) == dict(before)
    assert mpl.get_backend() == backend
    plt.close("all")


def make_flux(n: int = N, energies: np.ndarray = ENERGIES) -> xr.DataArray:
    random = np.random.default_rng(1)
    shape = np.sin(np.radians(ANGLES))[None, :] ** np.linspace(1, 2, energies.size)[:, None]
    level = 1e4 * np.exp(-energies / 0.8)[:, None] + 30.0
    values = random.poisson(np.broadcast_to(level * shape, (n, energies.size, 9))).astype("f4")
    values[:, :, 4] = np.nan  # a bin that is never measured
    values[:, -1] = 0.0
    values[0, -1] = 1.0  # hardly any signal at the highest energy
    return xr.DataArray(
        values,
        dims=("Epoch", "energy", "pitch_angle"),
        coords={
            "Epoch": START + np.arange(n) * STEP,
            "energy": ("energy", energies, {"units": "MeV"}),
            "pitch_angle": ("pitch_angle", ANGLES, {"units": "degree"}),
        },
        attrs={"units": "cm!E-2!N s!E-1!N sr!E-1!N MeV!E-1!N"},
        name="FEDU",
    )


def make_out(n: int = N, k: int = K) -> xr.Dataset:
    random = np.random.default_rng(2)
    label = (np.arange(n) // 10 % k).astype("i2")
    label[::50] = -1
    centres = random.normal(size=(k, 3)) * 4
    components = (centres[label] + random.normal(size=(n, 3))).astype("f4")
    components[label < 0] = np.nan
    epochs = np.arange(1, 21)
    return xr.Dataset(
        {
            "pad_label": ("Epoch", label),
            "pad_pc": (
                ("Epoch", "pad_component"),
                components,
                {"explained_variance_ratio": [0.61, 0.22, 0.004]},
            ),
            "pad_centre": (("pad_cluster", "pad_component"), centres),
            "pad_mode": (("pad_mode_index", "pad_component"), centres + 0.1),
            "pad_loss": ("pad_epoch", 1.0 / epochs),
            "pad_val_loss": ("pad_epoch", 1.0 / epochs + np.maximum(0, epochs - 15) * 0.1),
        },
        coords={"Epoch": START + np.arange(n) * STEP, "pad_epoch": epochs},
    )


@pytest.fixture
def flux() -> xr.DataArray:
    return make_flux()


@pytest.fixture
def out() -> xr.Dataset:
    return make_out()


@pytest.fixture
def evidence() -> xr.Dataset:
    return xr.Dataset(
        {
            "bandwidth": ("quantile", [0.5, 1.0, 1.5]),
            "n_modes": ("quantile", [9, 4, 2]),
            "calinski_harabasz": ("k", [100.0, 300.0, 250.0]),
            "davies_bouldin": ("k", [0.9, 0.5, 0.7]),
            "inertia": ("k", [30.0, 20.0, 15.0]),
        },
        coords={"quantile": [0.05, 0.1, 0.2], "k": [3, 4, 5]},
        attrs={"k": 4},
    )


def draw(axes) -> None:
    """Render, so that what fails or warns only then does so here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.ravel(axes)[0].figure.canvas.draw()


# --- catalogue -----------------------------------------------------------------------------------


def test_catalogue_has_one_panel_a_cluster_and_one_line_an_energy(out, flux):
    panels = plot_catalogue(out, flux)
    draw(panels)
    mean = catalogue(out, flux).pad_mean
    assert panels.shape == (K,)
    for cluster, ax in enumerate(panels):
        lines = ax.get_lines()
        assert len(lines) == ENERGIES.size
        for energy, line in enumerate(lines):
            shape = mean.values[cluster, energy]
            if np.nanmax(shape) > 0:
                np.testing.assert_allclose(line.get_ydata(), shape / np.nanmax(shape), rtol=1e-6)
                assert np.nanmax(line.get_ydata()) == pytest.approx(1.0)
            np.testing.assert_array_equal(line.get_xdata(), ANGLES)
            assert np.isnan(line.get_ydata()[4])
        assert ax.get_xlim() == (0, 180)
        assert ax.get_xticks().tolist() == [0, 45, 90, 135, 180]
        assert to_hex(ax.spines["top"].get_edgecolor()) == style.cluster_colour(cluster).lower()


def test_catalogue_titles_have_label_count_and_share(flux):
    out = make_out(2000)
    panels = plot_catalogue(out, make_flux(2000))
    label = out.pad_label.values
    for cluster, ax in enumerate(panels):
        count = (label == cluster).sum()
        share = 100 * count / (label >= 0).sum()
        assert ax.get_title() == f"{cluster} · {count:,} records · {share:.0f} %"
    plain = catalogue(out, make_flux(2000))
    plain["pad_count"] = plain.pad_count * 0 + [12345, 1, 7]
    plain["pad_share"] = plain.pad_share * 0 + [0.31, 0.0042, 0.0001]
    titles = [ax.get_title() for ax in plot_catalogue(plain)]
    assert titles == ["0 · 12,345 records · 31 %", "1 · 1 record · 0.4 %", "2 · 7 records · <0.1 %"]


def test_catalogue_draws_energies_without_signal_faint_and_says_so(out, flux):
    panels = plot_catalogue(out, flux)
    alphas = [line.get_alpha() for line in panels[1].get_lines()]
    assert alphas[:-1] == [1.0] * (ENERGIES.size - 1)
    assert alphas[-1] < 1.0
    words = "".join(ax.get_ylabel() for ax in panels[0].figure.axes)
    assert "faint: < 10 % of values positive" in words
    panels = plot_catalogue(out, flux, min_positive=0.0)
    assert all(line.get_alpha() == 1.0 for line in panels[1].get_lines())
    assert "faint" not in "".join(ax.get_ylabel() for ax in panels[0].figure.axes)


def test_catalogue_energy_key(out, flux):
    many = plot_catalogue(out, flux)
    assert len(many[0].figure.axes) == K + 1
    assert many[0].figure.axes[-1].get_ylabel().startswith("energy (MeV)")
    few = plot_catalogue(out, flux.isel(energy=[0, 2, 3]))
    assert len(few[0].figure.axes) == K
    legend = few[-1].get_legend()
    assert legend.get_title().get_text() == "energy (MeV)"
    assert [t.get_text() for t in legend.get_texts()] == ["7.7", "5.2", "1.8"]
    one = plot_catalogue(out, flux.isel(energy=[0]))
    assert len(one[0].figure.axes) == K
    assert one[-1].get_legend() is None
    draw(one)


def test_catalogue_of_folded_angles(out, flux):
    panels = plot_catalogue(out, flux.isel(pitch_angle=slice(0, 4)))
    assert panels[0].get_xlim() == (0, 90)


@pytest.mark.parametrize("k", [1, 2, 5, 8, 12, 20])
def test_catalogue_of_any_number_of_clusters_without_overlap(k):
    out, flux = make_out(600, k), make_flux(600)
    panels = plot_catalogue(out, flux)
    draw(panels)
    figure = panels[0].figure
    assert len(panels) == k
    assert len(figure.axes) == k + 1
    renderer = figure.canvas.get_renderer()
    boxes = [ax.title.get_window_extent(renderer) for ax in panels]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert all(figure.bbox.x0 <= b.x0 and b.x1 <= figure.bbox.x1 for b in boxes)


def test_catalogue_of_a_cluster_without_records(out, flux):
    label = out.pad_label.where(out.pad_label != 2, 0).astype("i2")
    panels = plot_catalogue(out.assign(pad_label=label), flux)
    draw(panels)
    assert [text.get_text() for text in panels[2].texts] == ["no records"]


# --- labels --------------------------------------------------------------------------------------


def strip_of(ax) -> tuple[np.ndarray, tuple[float, ...]]:
    (image,) = ax.get_images()
    return np.ma.filled(image.get_array().astype(float), np.nan), tuple(image.get_extent())


def test_labels_span_the_time_range_in_both_panels(out, flux):
    panels = plot_labels(out, flux)
    draw(panels)
    first, last = (date2num(t) for t in (START - STEP / 2, START + (N - 1) * STEP + STEP / 2))
    _, extent = strip_of(panels[1])
    np.testing.assert_allclose(extent[:2], [first, last], rtol=0, atol=1e-8)
    for ax in panels:
        np.testing.assert_allclose(ax.get_xlim(), [first, last], rtol=0, atol=1e-8)
    x = panels[0].collections[0].get_coordinates()[0, :, 0]
    np.testing.assert_allclose(x[[0, -1]], [first, last], rtol=0, atol=1e-8)
    left, right = (ax.get_position() for ax in panels)
    assert (left.x0, left.x1) == pytest.approx((right.x0, right.x1))


def test_each_record_shows_its_own_label(out, flux):
    panels = plot_labels(out, flux, columns=800)
    image, _ = strip_of(panels[1])
    rows = image.reshape(K + 1, -1, 800)[::-1]  # (label 0 … none, steps of a bar, columns)
    middle = (np.arange(N) + 0.5) * 800 / N
    for record, column in enumerate(middle.astype(int)):
        label = int(out.pad_label[record])
        row = label if label >= 0 else K
        assert np.nanmax(rows[row, :, column]) == row
        others = np.delete(rows[:, :, column], row, axis=0)
        assert np.isnan(others).all()
    assert [t.get_text() for t in panels[1].get_yticklabels()] == ["none", "2", "1", "0"]


def test_the_spectrogram_is_the_mean_over_angles(out, flux):
    panels = plot_labels(out, flux, columns=N)
    mesh = panels[0].collections[0]
    drawn = mesh.get_array().reshape(ENERGIES.size, N)
    mean = np.nanmean(flux.values, axis=2).T
    seen = mean > mesh.norm.vmin
    np.testing.assert_allclose(drawn[seen], mean[seen], rtol=1e-5)
    assert (np.ma.filled(drawn, np.nan)[mean == 0] == mesh.norm.vmin).all()
    bar = panels[0].child_axes[0].get_ylabel()
    assert "cm$^{-2}$ s$^{-1}$ sr$^{-1}$ MeV$^{-1}$" in bar
    assert panels[0].get_yscale() == "log"
    assert panels[0].get_ylabel() == "energy (MeV)"


def test_many_records_are_aggregated_by_share():
    n = 200_000
    out = make_out(n)
    flux = make_flux(1).isel(Epoch=np.zeros(n, int)).assign_coords(Epoch=out.Epoch)
    panels = plot_labels(out, flux.isel(energy=[0, 1]), columns=100)
    draw(panels)
    image, extent = strip_of(panels[1])
    assert extent[2:] == (0.0, 100.0)
    assert image.shape[1] == 100
    shares = [(image == label).mean() for label in range(K + 1)]
    wanted = [(out.pad_label == label).mean().item() for label in (0, 1, 2, -1)]
    np.testing.assert_allclose(shares, wanted, atol=0.01)
    names = [text.get_text() for text in panels[1].get_legend().get_texts()]
    assert names == ["0", "1", "2", "none"]
    assert panels[0].collections[0].get_coordinates().shape[1] == 101


def test_stacked_or_in_rows_by_choice(out, flux):
    assert plot_labels(out, flux, stacked=True)[1].get_legend() is not None
    assert plot_labels(out, flux, columns=5, stacked=False)[1].get_legend() is None


def test_a_gap_stays_white(out, flux):
    times = out.Epoch.values.copy()
    times[200:] += 200 * STEP
    panels = plot_labels(
        out.assign_coords(Epoch=times), flux.assign_coords(Epoch=times), columns=600
    )
    image, _ = strip_of(panels[1])
    drawn = panels[0].collections[0].get_array().reshape(ENERGIES.size, 600)
    white = np.isnan(image).all(axis=0)
    np.testing.assert_array_equal(np.flatnonzero(white), np.arange(200, 400))
    np.testing.assert_array_equal(np.ma.getmaskarray(drawn).all(axis=0), white)


def test_unsorted_repeated_and_missing_times(out, flux):
    order = np.random.default_rng(0).permutation(N)
    wanted, extent = strip_of(plot_labels(out, flux)[1])
    shuffled = plot_labels(out.isel(Epoch=order), flux.isel(Epoch=order))
    np.testing.assert_array_equal(strip_of(shuffled[1])[0], wanted)
    times = out.Epoch.values.copy()
    times[10] = np.datetime64("NaT", "ns")
    times[20] = times[21]
    panels = plot_labels(out.assign_coords(Epoch=times), flux.assign_coords(Epoch=times))
    draw(panels)
    assert strip_of(panels[1])[1] == extent


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_records(n):
    panels = plot_labels(make_out(n), make_flux(n))
    draw(panels)
    image, _ = strip_of(panels[1])
    assert not np.isnan(image).all(axis=0).any()


def test_one_energy_is_a_line_and_records_without_time_are_numbered(out, flux):
    panels = plot_labels(
        out.drop_vars("Epoch"), flux.isel(energy=[0]).drop_vars("Epoch"), columns=N
    )
    draw(panels)
    (line,) = panels[0].get_lines()
    np.testing.assert_allclose(line.get_ydata(), np.nanmean(flux.values[:, 0], axis=1), rtol=1e-5)
    assert panels[1].get_xlim() == (-0.5, N - 0.5)
    assert panels[1].get_xlabel() == "record (Epoch)"


@pytest.mark.parametrize(("n", "days"), [(100, "2013-03-01"), (800, "2013-03-01 to 2013-03-02")])
def test_the_time_axis_names_its_days_once(n, days):
    times = np.datetime64("2013-03-01", "ns") + np.arange(n) * np.timedelta64(120, "s")
    out = xr.Dataset({"pad_label": ("Epoch", np.zeros(n, "i2"))}, {"Epoch": times})
    (panel,) = plot_labels(out)
    draw([panel])
    assert panel.get_xlabel() == f"time (Epoch), {days}"
    assert panel.xaxis.get_offset_text().get_text() == ""


def test_several_record_dimensions_are_refused_with_the_remedy(out, flux):
    both = xr.concat([out[["pad_label"]]] * 2, dim="probe")
    with pytest.raises(OptionError, match=r"out\.isel\(probe=0\)"):
        plot_labels(both, flux)
    draw(plot_labels(both.isel(probe=0), flux))


def test_labels_over_a_stored_quicklook(out, flux):
    times = out.Epoch.values.copy()
    times[200:] += 200 * STEP
    flux, out = flux.assign_coords(Epoch=times), out.assign_coords(Epoch=times)
    store = out.assign(pad_spectrum=quicklook(flux, bins=100))
    panels = plot_labels(store, columns=600)
    drawn = panels[0].collections[0].get_array().reshape(ENERGIES.size, 600)
    full = plot_labels(out, flux, columns=600)[0].collections[0]
    wanted = full.get_array().reshape(ENERGIES.size, 600)
    np.testing.assert_array_equal(np.ma.getmaskarray(drawn), np.ma.getmaskarray(wanted))
    np.testing.assert_allclose(drawn[0].mean(), wanted[0].mean(), rtol=0.01)
    np.testing.assert_allclose(drawn[0, 3], np.nanmean(flux.values[:4, 0]), rtol=1e-5)


def test_labels_alone_without_any_flux(out, caplog):
    panels = plot_labels(out[["pad_label"]])
    draw(panels)
    assert panels.shape == (1,)
    assert "no flux" in caplog.text


def test_columns_and_shares():
    where = columns_of(None, 4, 4)
    np.testing.assert_array_equal(
        label_shares(np.array([0, 1, -1, 0]), where, 2), [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]]
    )
    all_nat = columns_of(np.full(3, np.datetime64("NaT", "ns")), 3, 3)
    assert not all_nat.is_time


# --- components ----------------------------------------------------------------------------------


def test_components_show_every_pair_in_the_clusters_colours(out):
    panels = plot_components(out)
    draw(panels)
    label = out.pad_label.values
    usable = label >= 0
    for ax, pair in zip(panels, [(0, 1), (0, 2), (1, 2)], strict=True):
        dots = ax.collections[0]
        wanted = out.pad_pc.values[usable][:, pair]
        offsets = np.asarray(dots.get_offsets())
        assert len(offsets) == usable.sum()
        order = [int(np.abs(wanted - o).sum(axis=1).argmin()) for o in offsets]
        assert order != sorted(order)
        colours = [to_hex(c).upper() for c in dots.get_facecolors()]
        assert colours == [style.cluster_colour(c) for c in label[usable][order]]
        numbers = [text.get_text() for text in ax.texts]
        assert numbers == ["0", "1", "2"]
        places = np.array([text.get_position() for text in ax.texts])
        np.testing.assert_allclose(places, out.pad_centre.values[:, pair])
        assert ax.get_aspect() == 1.0
    assert panels[0].get_xlabel() == "component 1 (61 % of variance)"
    assert panels[2].get_ylabel() == "component 3 (0.4 % of variance)"
    names = [text.get_text() for text in panels[-1].get_legend().get_texts()]
    assert names == ["0", "1", "2", "mode"]


def test_components_sample_is_bounded_and_seeded(out):
    def offsets(**options):
        return np.asarray(plot_components(out, **options)[0].collections[0].get_offsets())

    few = offsets(sample=50)
    assert len(few) == 50
    np.testing.assert_array_equal(few, offsets(sample=50))
    assert not np.array_equal(few, offsets(sample=50, random_state=1))


def test_clusters_beyond_eight_have_another_marker():
    panels = plot_components(make_out(2000, 12))
    draw(panels)
    dots = panels[0].collections
    kinds = {len(c.get_paths()[0].vertices) for c in dots if len(c.get_offsets()) > 1}
    assert len(kinds) >= 2
    markers = [line.get_marker() for line in panels[-1].get_legend().get_lines()]
    assert markers[:8] == ["o"] * 8
    assert markers[8:12] == ["^"] * 4


def test_components_that_cannot_be_drawn(out):
    with pytest.raises(OptionError, match="1 component"):
        plot_components(out.isel(pad_component=[0]))
    with pytest.raises(OptionError, match="no record has a label"):
        plot_components(out.assign(pad_label=out.pad_label * 0 - 1))
    assert plot_components(out.isel(pad_component=[0, 1])).shape == (1,)


def test_components_of_very_different_spans_have_their_own_scales(out):
    long = out.assign(pad_pc=out.pad_pc * np.array([20.0, 1.0, 1.0], "f4"))
    assert [ax.get_aspect() for ax in plot_components(long)] == ["auto", "auto", 1.0]
    assert [ax.get_aspect() for ax in plot_components(long, equal=True)] == [1.0] * 3
    assert [ax.get_aspect() for ax in plot_components(out, equal=False)] == ["auto"] * 3


def test_components_of_several_probes(out):
    both = xr.concat([out[["pad_label", "pad_pc"]]] * 2, dim="probe").transpose("Epoch", ...)
    offsets = plot_components(both)[0].collections[0].get_offsets()
    assert len(offsets) == 2 * (out.pad_label >= 0).sum()


# --- training and k ------------------------------------------------------------------------------


def test_training_marks_the_best_and_the_last_epoch(out):
    ax = plot_training(out)
    draw(ax)
    training, validation, best, last = ax.get_lines()
    np.testing.assert_array_equal(training.get_ydata(), out.pad_loss)
    np.testing.assert_array_equal(validation.get_ydata(), out.pad_val_loss)
    assert best.get_xdata().tolist() == [15]
    assert last.get_xdata().tolist() == [20]
    assert ax.get_yscale() == "log"
    assert [t.get_text() for t in ax.get_legend().get_texts()][2:] == [
        "lowest: 0.0667 at epoch 15",
        "last: 0.55 at epoch 20",
    ]


def test_training_of_a_model(out):
    class Model:
        history = xr.Dataset(
            {"loss": out.pad_loss.variable, "val_loss": out.pad_val_loss.variable},
            coords={"pad_epoch": out.pad_epoch},
        )

    for source in (Model(), Model.history):
        ax = plot_training(source)
        np.testing.assert_array_equal(ax.get_lines()[1].get_ydata(), out.pad_val_loss)


def test_training_without_an_autoencoder(out):
    empty = out.isel(pad_epoch=slice(0, 0))
    for source in (empty, out[["pad_label"]]):
        with pytest.raises(OptionError, match="encoder=None"):
            plot_training(source)


def test_k_marks_what_was_chosen(evidence):
    panels = plot_k(evidence)
    draw(panels)
    assert len(panels) == 4
    np.testing.assert_array_equal(panels[0].get_lines()[0].get_ydata(), evidence.n_modes)
    assert panels[0].get_lines()[1].get_ydata() == [4, 4]
    for ax, name in zip(
        panels[1:], ("calinski_harabasz", "davies_bouldin", "inertia"), strict=True
    ):
        curve, chosen, mark = ax.get_lines()
        np.testing.assert_array_equal(curve.get_ydata(), evidence[name])
        assert chosen.get_xdata() == [4, 4]
        assert mark.get_ydata() == [evidence[name].sel(k=4).item()]
    assert {"0.5", "1", "1.5"} < {text.get_text() for text in panels[0].texts}


# --- what holds for all --------------------------------------------------------------------------


def pictures(out, flux, evidence):
    plots = PadPlots(out)
    return {
        "catalogue": (lambda **o: plots.catalogue(flux, **o), K),
        "labels": (lambda **o: plots.labels(flux, **o), 2),
        "components": (lambda **o: plots.components(**o), 3),
        "k": (lambda **o: plots.k(evidence, **o), 4),
    }


@pytest.mark.parametrize("name", ["catalogue", "labels", "components", "k"])
def test_given_axes_are_used_and_no_figure_is_made(out, flux, evidence, name):
    picture, panels = pictures(out, flux, evidence)[name]
    figure = mpl.figure.Figure()
    axes = figure.subplots(panels, 1)
    returned = picture(axes=axes)
    assert list(returned) == list(axes)
    draw(returned)
    assert plt.get_fignums() == []
    with pytest.raises(OptionError, match=f"needs {panels}"):
        picture(axes=axes[:1])
    assert plt.get_fignums() == []


def test_training_on_given_axes(out):
    ax = mpl.figure.Figure().subplots()
    assert PadPlots(out).training(ax) is ax
    assert plt.get_fignums() == []


def test_a_picture_makes_one_figure_and_a_failed_one_none(out, flux, evidence):
    for picture, _ in pictures(out, flux, evidence).values():
        panels = picture()
        assert len(plt.get_fignums()) == 1
        assert panels[0].figure.dpi == 150
        plt.close(panels[0].figure)
    failing = [
        lambda: plot_catalogue(xr.Dataset(), flux),
        lambda: plot_labels(xr.Dataset(), flux),
        lambda: plot_components(xr.Dataset()),
        lambda: plot_training(xr.Dataset()),
    ]
    for picture in failing:
        with pytest.raises(RolesError, match=r"ds\.pad\.cluster\(\)"):
            picture()
    with pytest.raises(RolesError, match=r"ds\.pad\.cluster\(\)"):
        PadPlots(xr.Dataset()).k()
    with pytest.raises(RolesError, match="estimate_k"):
        plot_k(out, evidence=xr.Dataset())
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ["catalogue", "labels", "components"])
def test_lazy_input_is_computed_once(out, flux, evidence, name):
    lazy = out.chunk(Epoch=90)
    for variable in ("pad_centre", "pad_mode"):
        lazy[variable] = out[variable]
    picture, _ = pictures(lazy, flux.chunk(Epoch=70), evidence)[name]
    scheduler = CountingScheduler()
    with dask.config.set(scheduler=scheduler):
        panels = picture()
    assert scheduler.computes == 1
    draw(panels)


def test_another_prefix(flux, evidence):
    out = make_out()
    names = [*out.data_vars, *(d for d in out.dims if str(d).startswith("pad_"))]
    renamed = out.rename({name: str(name).replace("pad_", "ion_") for name in names})
    plots = PadPlots(renamed)
    assert plots.catalogue(flux, prefix="ion").shape == (K,)
    assert plots.labels(flux, prefix="ion").shape == (2,)
    assert plots.components(prefix="ion").shape == (3,)
    plots.training(prefix="ion")
    with pytest.raises(RolesError, match="prefix='ion'"):
        plots.labels(flux)


def test_the_flux_of_the_dataset_itself_is_found(out, flux):
    both = out.assign(FEDU=flux)
    assert PadPlots(both).catalogue().shape == (K,)
    assert PadPlots(both).labels().shape == (2,)


def test_importing_the_pictures_imports_no_matplotlib(tmp_path):
    import subprocess
    import sys

    code = "import sys, xpad.plot, xpad.statistics; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0


# --- style ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("units", "readable"),
    [
        ("cm!E-2!N s!E-1!N sr!E-1!N keV!E-1!N", "cm$^{-2}$ s$^{-1}$ sr$^{-1}$ keV$^{-1}$"),
        ("cm!U-2!Ns!U-1", "cm$^{-2}$ s$^{-1}$"),
        ("cm^-2 s**-1 sr^{-1}", "cm$^{-2}$ s$^{-1}$ sr$^{-1}$"),
        ("cm-2 s-1 sr-1 MeV-1", "cm$^{-2}$ s$^{-1}$ sr$^{-1}$ MeV$^{-1}$"),
        ("1/(cm^2 s sr MeV)", "cm$^{-2}$ s$^{-1}$ sr$^{-1}$ MeV$^{-1}$"),
        ("keV/(cm^2 s sr keV)", "keV cm$^{-2}$ s$^{-1}$ sr$^{-1}$ keV$^{-1}$"),
        ("cm⁻² s⁻¹", "cm$^{-2}$ s$^{-1}$"),
        ("R!DE!N", r"R$_{\mathrm{E}}$"),
        ("cm$^{-2}$ s$^{-1}$", "cm$^{-2}$ s$^{-1}$"),
        ("log10 counts", "log10 counts"),
        ("US$", r"US\$"),
        (" ", ""),
    ],
)
def test_units_are_readable(units, readable):
    assert style.readable_units(units) == readable
    figure = mpl.figure.Figure()
    figure.text(0.5, 0.5, style.readable_units(units))
    figure.savefig(io.BytesIO(), format="png")


def _lab(colour: str, vision: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of a colour as seen through a (linear RGB) matrix of colour vision."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]]
    )
    x, y, z = np.cbrt(to_xyz @ np.clip(vision @ linear, 0, 1) / [0.9505, 1.0, 1.0888])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


# Machado, Oliveira & Fernandes (2009), doi 10.1109/TVCG.2009.113, full severity.
VISION = {
    "normal": np.eye(3),
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


@pytest.mark.parametrize("vision", VISION)
def test_the_twelve_colours_differ_for_every_colour_vision(vision):
    colours = [style.cluster_colour(label) for label in range(12)]
    seen = [_lab(colour, np.array(VISION[vision])) for colour in colours]
    distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
    assert min(distances) > 12


def test_cues_are_fixed():
    assert style.cluster_colour(0) == style.cluster_colour(12) != style.cluster_colour(-1)
    assert style.cluster_marker(0) != style.cluster_marker(12)
    assert style.log_ticks(70, 600) == [100.0, 200.0, 500.0]
