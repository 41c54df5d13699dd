"""The networks are the paper's: sizes, shapes, where they start."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from gan_core.experiments import settings_for
from gan_core.networks import Discriminator, Doubling, Generator, Translator, initialise, with_statistics

SIZES = {"hands": (480, 640), "healthy": (128, 128), "eczema": (128, 128), "df": (256, 256), "mel": (256, 256)}


def paper_networks(experiment: str) -> tuple[nn.Module, nn.Module]:
    """The paper's networks without memory for their weights."""
    s = settings_for(experiment, "paper")
    height, width = SIZES.get(experiment, (128, 128))
    with torch.device("meta"):
        discriminator = Discriminator(height, width, s.d_features)
        if experiment in SIZES:
            return Generator(height, width, s.g_features, s.z_dim, s.refine), discriminator
        return Translator(3 if experiment == "cycle-eczema" else 4, s.g_features), discriminator


@pytest.mark.parametrize(
    ("experiment", "generator", "discriminator"),
    [
        ("hands", 8.40, 5.77),
        ("healthy", 12.48, 22.12),
        ("eczema", 12.48, 88.28),
        ("df", 3.73, 22.38),
        ("mel", 3.73, 22.38),
        ("add-eczema", 98.61, 88.28),
        ("remove-eczema", 98.61, 88.28),
        ("cycle-eczema", 98.61, 88.28),  # each of two
    ],
)
def test_parameters_in_millions_are_those_of_the_design(
    experiment: str, generator: float, discriminator: float
) -> None:
    counts = [round(sum(p.numel() for p in n.parameters()) / 1e6, 2) for n in paper_networks(experiment)]
    assert counts == [generator, discriminator]


@pytest.mark.parametrize("experiment", [*SIZES, "add-eczema", "remove-eczema", "cycle-eczema"])
def test_shapes_of_every_experiment(experiment: str) -> None:
    generator, discriminator = paper_networks(experiment)
    height, width = SIZES.get(experiment, (128, 128))
    given = (2, 100) if experiment in SIZES else (2, 3 if experiment == "cycle-eczema" else 4, height, width)
    images = generator(torch.empty(given, device="meta"))
    assert images.shape == (2, 3, height, width)
    assert discriminator(images).shape == (2,)


def test_the_residual_blocks_work_at_a_quarter_of_the_size() -> None:
    translator = paper_networks("add-eczema")[0]
    assert isinstance(translator, Translator)
    seen = []
    translator.blocks.register_forward_hook(lambda module, given, made: seen.append(made.shape))
    translator(torch.empty(1, 4, 128, 128, device="meta"))
    assert seen == [(1, 1024, 32, 32)]
    assert len(translator.blocks) == 4


@pytest.mark.parametrize("channels", [3, 4])
def test_a_translator_starts_at_the_identity(channels: int) -> None:
    translator = Translator(channels, 16)
    initialise(translator, torch.Generator().manual_seed(0))
    x = torch.rand(2, channels, 32, 48) * 2 - 1
    assert torch.equal(translator(x), x[:, :3])


def test_weights_start_from_a_normal_of_two_hundredths() -> None:
    discriminator = Discriminator(64, 64, 32)
    initialise(discriminator, torch.Generator().manual_seed(0))
    weights = torch.cat(
        [m.weight.flatten() for m in discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    ).detach()
    assert abs(weights.std().item() - 0.02) < 2e-4
    assert abs(weights.mean().item()) < 2e-4


def test_without_batch_norm_a_discriminator_keeps_the_scale_of_its_activations() -> None:
    """He et al. 2015, equation 14: at each layer weights of variance 2 / ((1 + 0.2**2) inputs)."""
    discriminator = Discriminator(64, 64, 32, normed=False)
    initialise(discriminator, torch.Generator().manual_seed(0))
    layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in layers:
        inputs = layer.weight[0].numel()
        assert layer.weight.std().item() == pytest.approx((2 / (1.04 * inputs)) ** 0.5, rel=0.05)
        assert layer.bias is not None
        assert not layer.bias.any()
    assert not any(isinstance(m, nn.BatchNorm2d) for m in discriminator.modules())
    logits = discriminator(torch.randn(64, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    assert 0.3 < logits.std() < 3


def test_every_activation_is_leaky_by_a_fifth() -> None:
    for network in (Generator(64, 64, 16, refine=True), Discriminator(64, 64, 8), Translator(4, 16)):
        slopes = {m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)}
        assert slopes == {0.2}


def test_no_bias_where_batch_norm_follows() -> None:
    for network in (Generator(64, 64, 16, refine=True), Discriminator(64, 64, 8), Translator(4, 16)):
        leaves = [m for m in network.modules() if not list(m.children())]
        for layer, following in itertools.pairwise(leaves):
            if isinstance(following, nn.BatchNorm2d):
                assert getattr(layer, "bias", None) is None


def test_the_discriminator_averages_an_image_and_its_half() -> None:
    discriminator = Discriminator(32, 32, 4).eval()
    initialise(discriminator, torch.Generator().manual_seed(0))
    images = torch.rand(3, 3, 32, 32)
    halved = nn.functional.avg_pool2d(images, 3, 2, 1, count_include_pad=False)
    expected = (discriminator.whole(images) + discriminator.halved(halved)).squeeze(1) / 2
    assert torch.equal(discriminator(images), expected)
    different = discriminator.whole[0].weight != discriminator.halved[0].weight
    assert different.all(), "the two scales share nothing"


def test_doubling_is_repeated_pixels_and_a_convolution() -> None:
    layer, x = Doubling(3, 5), torch.randn(2, 3, 6, 9)
    expected = nn.functional.conv2d(nn.functional.interpolate(x, scale_factor=2), layer.weight, padding=1)
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_doubling_leaves_no_grid_where_a_deconvolution_does() -> None:
    """From constant maps a deconvolution makes a pattern of two pixels, `Doubling` a constant."""
    layers = nn.ModuleList([Doubling(4, 4), nn.ConvTranspose2d(4, 4, 4, 2, 1)])
    initialise(layers, torch.Generator().manual_seed(0))
    without, grid = (layer(torch.ones(1, 4, 8, 8))[0, :, 4:-4, 4:-4].std((1, 2)).max() for layer in layers)
    assert without < 1e-6
    assert grid > 1e-3


def test_statistics_for_use_are_those_of_the_inputs_and_leave_the_original_alone() -> None:
    generator = Generator(32, 32, 8, z_dim=4, dense_norm=True)
    initialise(generator, torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    batches = [torch.randn(16, 4) * 0.1 for _ in range(3)]
    usable = with_statistics(generator, batches)
    dense = [generator.dense(z).view(-1, 64, 8, 8) for z in batches]
    expected = torch.stack([maps.mean((0, 2, 3)) for maps in dense]).mean(0)
    assert isinstance(usable, Generator)
    assert torch.allclose(usable.dense_norm[0].running_mean, expected, atol=1e-6)
    assert not usable.training
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())
