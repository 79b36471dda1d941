"""Published systems have the shapes that they state, can learn, and learn from nobody's test."""

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from media import store_of, table
from torch import nn

from avlib.corpus import ravdess
from avlib.features import FeatureStore
from avlib.learning import loaders, networks, systems, training
from avlib.learning.splits import Split
from avlib.learning.systems import (
    bottleneck,
    luna_jimenez,
    msaf,
    parts,
    siddiqui_javaid,
)
from avlib.learning.systems.cornejo_pedrini import CensusFaces, census
from avlib.learning.systems.luna_jimenez import OverPosteriors
from avlib.learning.systems.ristea import FrameSequence
from avlib.learning.systems.siddiqui_javaid import OverDecisions, TwoStreams
from avlib.learning.training import Training

PLAIN = [name for name in systems.built() if not name.endswith("-five")]
SEQUENCE, MEAN, PAIR, UNITS = (40, 125), (40,), (64, 128, 3), (35,)
SPECTROGRAM, STRIP = (64, 125), (64, 384, 3)
STAGES = [
    pytest.param(name, new, id=variant)
    for name in PLAIN
    for variant, new in systems.SYSTEMS[name].stages.items()
]


def inputs(
    mfcc: tuple[int, ...], image: tuple[int, ...], batch: int = 3
) -> tuple[torch.Tensor, torch.Tensor]:
    drawn = torch.Generator().manual_seed(0)
    image = image if len(image) == 1 else (3, *image[:2])
    return torch.randn(batch, *mfcc, generator=drawn), torch.randn(batch, *image, generator=drawn)


def weights(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def stated(kind: type[nn.Module]) -> Iterator[tuple[str, tuple[int, ...], int]]:
    """The rows of the table in a class's docstring: part, what it gives, parameters."""
    for row in re.findall(r"^ *\| (.+) \|$", kind.__doc__, re.M)[2:]:
        part, _, shape, count = (cell.strip() for cell in row.split("|"))
        numbers = tuple(map(int, re.findall(r"\d+", shape)))
        yield part.strip("`"), numbers, int(count.replace(",", ""))


def store(
    actors: int = 4,
    repetitions: int = 1,
    image: tuple[int, ...] = PAIR,
    sound: tuple[int, ...] = MEAN,
    silent: bool = False,
    still: bool = False,
) -> FeatureStore:
    """Actors × 8 emotions × repetitions, whose sounds and faces tell the emotion and the actor.

    `silent` ones sound all the same, `still` ones look all the same.
    """
    random = np.random.default_rng(0)
    clips = table(
        ravdess.ClipName(1, 1, emotion, 1, 1, repetition, actor)
        for actor in range(1, actors + 1)
        for emotion in range(1, 9)
        for repetition in range(1, repetitions + 1)
    )
    emotion, actor = clips["emotion"].to_numpy(), clips["actor"].to_numpy()
    mfcc = random.normal(0, 0.3, (len(clips), *sound)) + 0.2 * actor.reshape(-1, *[1] * len(sound))
    vectors = random.normal(0, 0.3, (len(clips), 35)).astype(np.float32)
    vectors[:, 10:] += random.normal(0, 1, (actors + 1, 25))[actor]
    shown = PAIR if image == UNITS else image
    pairs = random.integers(0, 60, (len(clips), *shown), np.uint8)
    for clip, code in enumerate(emotion):
        mfcc[clip, 5 * (code - 1) : 5 * code] += 2
        vectors[clip, code - 1] += 2
        pairs[clip, 8 * (code - 1) : 8 * code, ::2] += 180
        pairs[clip, -4:, :, :] += np.uint8(8 * actor[clip])
    mfcc[:] = 0 if silent else mfcc
    vectors[:] = 0 if still else vectors
    pairs[:] = 0 if still else pairs
    if image == UNITS:
        return store_of(clips, mfcc, None, vectors=vectors)
    return store_of(clips, mfcc, pairs)


def by_actor(store: FeatureStore, validation: set[int], test: set[int]) -> Split:
    actor = store.rows["actor"]
    sides = [~actor.isin(validation | test), actor.isin(validation), actor.isin(test)]
    return Split(*(np.flatnonzero(side) for side in sides), "actor")


def all_at_once(store: FeatureStore) -> Split:
    rows = np.arange(len(store.rows))
    return Split(rows, rows, rows, "clip")


def right(trained: systems.Trained, samples: loaders.Samples, rows: np.ndarray) -> float:
    found = trained.log_posteriors(samples, rows)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, atol=1e-5)
    return float(
        (found.argmax(axis=1) == parts.Encoded(trained.network, samples).labels(rows)).mean()
    )


@pytest.mark.parametrize("name", PLAIN)
def test_shapes_and_parameters_are_those_of_the_table(name: str) -> None:
    kind = systems.SYSTEMS[name].network
    network, gave = kind(SEQUENCE, PAIR).eval(), {}
    rows = {part: (shape, count) for part, shape, count in stated(kind)}
    others = {"in all": (SEQUENCE, PAIR), "of MFCC means": (MEAN, PAIR),
              "of 35 action units": (SEQUENCE, UNITS),
              "of spectrograms and six frames": (SPECTROGRAM, STRIP)}  # fmt: skip
    assert set(others) < set(rows)
    for part, shapes in others.items():
        assert rows.pop(part) == ((8,), weights(kind(*shapes)))

    def watch(part: str) -> None:
        def hook(module: nn.Module, _: object, given: object) -> None:
            given = given[0] if isinstance(given, tuple) else given  # an LSTM gives its state, too
            gave[part] = tuple(given.shape[1:]), weights(module)

        network.get_submodule(part).register_forward_hook(hook)

    for part in rows:
        watch(part)
    network(*inputs(SEQUENCE, PAIR))
    assert gave == rows


@pytest.mark.parametrize("name", ["chumachenko", "msaf", "bottleneck"])
def test_the_later_systems_have_less_than_a_million_parameters_each(name: str) -> None:
    assert weights(systems.SYSTEMS[name].network(SEQUENCE, PAIR)) < 1_000_000


@pytest.mark.parametrize(
    "image", [PAIR, STRIP, (32, 96, 3), UNITS], ids=["pairs", "strips", "three small", "units"]
)
@pytest.mark.parametrize(
    "sound", [MEAN, SEQUENCE, SPECTROGRAM], ids=["mean", "sequence", "spectrogram"]
)
@pytest.mark.parametrize("name", PLAIN)
def test_each_takes_what_a_store_gives(
    name: str, sound: tuple[int, ...], image: tuple[int, ...]
) -> None:
    network = systems.SYSTEMS[name].network(sound, image)
    for batch in (3, 1):  # the last batch of an epoch may be a row alone
        logits = network.train()(*inputs(sound, image, batch))
        assert network.decision in logits
        assert network.needs_image
        for each in logits.values():
            assert each.shape == (batch, 8)
            assert each.isfinite().all()


@pytest.mark.parametrize("name", PLAIN)
def test_each_does_without_an_absent_modality(name: str) -> None:
    network = networks.seeded(systems.SYSTEMS[name].network, MEAN, UNITS, seed=0).eval()
    mfcc, image = inputs(MEAN, UNITS, 2)
    present = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # the first is only heard, the second seen
    before = network(mfcc, image, present)["joint"]
    for other, moved in ((mfcc + 1, image), [True, False]), ((mfcc, image + 1), [False, True]):
        found = (network(*other, present)["joint"] - before).abs().amax(dim=1) > 1e-6
        assert found.tolist() == moved


@pytest.mark.parametrize("name", ["cornejo-pedrini", "siddiqui-javaid", "luna-jimenez"])
def test_branches_that_are_fused_late_learn_apart(name: str) -> None:
    network = networks.seeded(systems.SYSTEMS[name].network, MEAN, UNITS, seed=0)
    logits = network(*inputs(MEAN, UNITS, 4))
    assert not logits["joint"].requires_grad
    nn.functional.cross_entropy(logits["audio"], torch.arange(4)).backward()
    reached = {n.split(".")[0] for n, w in network.named_parameters() if w.grad is not None}
    assert reached == {"sound", "audio_classifier"}


def test_the_census_transform_by_hand() -> None:
    grey = torch.tensor([[5.0, 1, 9], [7, 6, 2], [6, 8, 3]]).view(1, 1, 3, 3)
    # Darker than 6, row by row: 5 and 1, not 9; not 7, 2; not 6 (as dark), not 8, 3.
    assert census(grey)[0, 0, 1, 1] == 0b11001001
    # The corner 5 has itself beyond the edge; darker are 1, above right, and 1 to its right.
    assert census(grey)[0, 0, 0, 0] == 0b00101000
    assert census(torch.full((1, 1, 4, 4), 3.0)).abs().sum() == 0
    assert torch.equal(census(grey), census(0.1 * grey - 7))  # in other light


def test_each_frame_is_transformed_for_itself_and_all_have_their_say() -> None:
    faces, seen = CensusFaces(32).eval(), []
    faces.vgg.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    three = torch.rand(1, 3, 3, 32, 32)
    found = faces(torch.cat(three.unbind(1), dim=3))
    alone = [faces(frame) for frame in three.unbind(1)]
    assert seen[0].shape == (3, 1, 32, 32)
    assert torch.equal(seen[0], torch.cat(seen[1:]))
    assert seen[0].min() >= -1
    assert seen[0].max() <= 1
    torch.testing.assert_close(found, torch.stack(alone).mean(dim=0))


def test_the_frames_of_a_strip_are_cut_where_they_stand_side_by_side() -> None:
    strip = torch.rand(2, 3, 8, 40)
    found = parts.frames(strip)
    assert found.shape == (2, 5, 3, 8, 8)
    for number in range(5):
        assert torch.equal(found[:, number], strip[..., 8 * number : 8 * number + 8])


@pytest.mark.parametrize("changes", [[0.5], [0.1, 0.6, 0.2, 0.7, 0.9]], ids=["pair", "strip"])
def test_the_second_stream_is_how_the_others_differ_from_the_first(changes: list[float]) -> None:
    streams = siddiqui_javaid.TwoStreams().eval()
    seen = []
    streams.change.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    frame = torch.rand(1, 3, 64, 64)
    streams(torch.cat([frame, *(frame + change for change in changes)], dim=3))
    torch.testing.assert_close(seen[0], torch.full_like(frame, 0.5))


@pytest.mark.parametrize("kind", [FrameSequence, TwoStreams, CensusFaces])
def test_a_face_that_stays_as_it_is_looks_the_same_in_a_pair_and_in_a_strip(
    kind: type[nn.Module],
) -> None:
    face, frame = kind().eval(), torch.rand(2, 3, 64, 64)
    pair, strip = (face(frame.repeat(1, 1, 1, number)) for number in (2, 6))
    torch.testing.assert_close(strip, pair, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", PLAIN)
def test_every_frame_of_a_strip_is_looked_at(name: str) -> None:
    network = networks.seeded(systems.SYSTEMS[name].network, SPECTROGRAM, STRIP, seed=0)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1  # an untrained network's deep layers would hardly tell pictures apart
    network(*inputs(SPECTROGRAM, STRIP, 8))
    network.eval()
    mfcc, strip = inputs(SPECTROGRAM, STRIP, 1)
    others = strip.repeat(6, 1, 1, 1)
    for number in range(6):
        others[number, :, :, 64 * number : 64 * number + 64] = 0
    found = network(mfcc.expand(6, -1, -1), others)["joint"] - network(mfcc, strip)["joint"]
    assert (found.abs().amax(dim=1) > 1e-5).all()


def test_the_spatial_transformer_moves_what_it_is_told_to_and_never_far() -> None:
    transformer = luna_jimenez.SpatialTransformer().eval()
    picture = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(transformer(picture), picture, atol=1e-4, rtol=0)
    transformer.where.bias.data = torch.tensor([0, 0, 99.0, 0, 0, 0])  # to the right, all it can
    found = transformer(picture)
    torch.testing.assert_close(found[..., :28], picture[..., 4:], atol=1e-4, rtol=0)
    assert found[..., 28:].abs().sum() == 0


def test_each_modality_is_weighted_by_what_the_other_asks_for() -> None:
    network, asked = systems.SYSTEMS["chumachenko"].network(SEQUENCE, PAIR).eval(), {}
    for name in ("of_face", "of_sound"):
        network.get_submodule(name).register_forward_pre_hook(
            lambda _, given, name=name: asked.update({name: [each.shape[2] for each in given]})
        )
    network(*inputs(SEQUENCE, PAIR))
    assert asked == {"of_face": [31, 2], "of_sound": [2, 31]}  # steps that ask, steps asked for


def test_what_a_paper_says_of_training_goes_before_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    units, found = store(image=UNITS), []
    cut = all_at_once(units)
    samples = loaders.to_device(units, cut.train, "cpu")
    monkeypatch.setattr(training, "fit", lambda *given, **_: found.append(given[3]))
    for name in ("chumachenko", "ristea"):
        systems.train(name, units, samples, cut, Training(epochs=7))
    assert [each.epochs for each in found] == [7, 7]
    assert [each.modality_dropout for each in found] == [1 / 3, 0]


def test_every_row_of_the_registry_says_what_is_lacking_and_on_which_protocol() -> None:
    for name, system in systems.SYSTEMS.items():
        assert min(map(len, (system.citation, system.protocol, system.lacking))) > 20, name
        assert re.fullmatch(r"[\d., ]*", system.printed)
        assert system.printed or "no figure" in system.protocol
        assert re.fullmatch(r"(doi:10\.\d+/\S+|arXiv:\d+\.\d+|IEEE SMC 2019)?", system.source)
        Training(**system.settings)
    assert len(systems.SYSTEMS["cornejo-pedrini"].stages) == 12
    assert systems.SYSTEMS["siddiqui-javaid-five"].emotions == (1, 3, 4, 5, 8)


def test_what_cannot_be_made_is_refused_with_a_reason() -> None:
    units = store(image=UNITS)
    with pytest.raises(ValueError, match="there is no 'nobody'; choose from siddiqui-javaid"):
        systems.make("nobody", units, 0)
    with pytest.raises(ValueError, match="'aghajani' cannot be built; lacking: a description"):
        systems.make("aghajani", units, 0)
    with pytest.raises(ValueError, match="holds sound alone, and ristea needs faces"):
        systems.make("ristea", store_of(units.clips, units.mfcc, None), 0)


@pytest.mark.parametrize("name", PLAIN)
def test_the_same_seed_gives_the_same_weights_and_leaves_pytorch_as_it_was(name: str) -> None:
    units = store(image=UNITS)
    cut = by_actor(units, {3}, {4})
    samples = loaders.to_device(units, cut.train, "cpu")
    before = torch.get_rng_state()
    brief = Training(epochs=1, batch=8)
    twice = [systems.train(name, units, samples, cut, brief) for _ in range(2)]
    assert training.digest(twice[0].network) == training.digest(twice[1].network)
    assert torch.equal(torch.get_rng_state(), before)
    first, second = (each.log_posteriors(samples, cut.test) for each in twice)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("name", "new"), STAGES)
def test_a_stage_never_sees_a_test_row(name: str, new: type[parts.Stage]) -> None:
    units = store(image=UNITS)
    cut = by_actor(units, {3}, {4})
    samples = loaders.to_device(units, cut.train, "cpu")
    network = systems.make(name, units, 0)
    stage = new().fit(parts.Encoded(network, samples), cut)
    clips = samples.clip_of_row[cut.test]
    mfcc, vectors, label = samples.mfcc.clone(), samples.vectors.clone(), samples.label.clone()
    mfcc[clips], vectors[cut.test], label[cut.test] = 9, -9, 0
    other = replace(samples, mfcc=mfcc, vectors=vectors, label=label)
    again = new().fit(parts.Encoded(network, other), cut)
    known = np.concatenate([cut.train, cut.validation])
    for found, same in zip(fitted(stage), fitted(again), strict=True):
        np.testing.assert_array_equal(found, same)
    np.testing.assert_array_equal(
        stage.log_posteriors(parts.Encoded(network, samples), known),
        again.log_posteriors(parts.Encoded(network, other), known),
    )


def fitted(stage: parts.Stage) -> list[np.ndarray]:
    """Every array that fitting has left in the parts of a stage."""
    found = []
    for machine in vars(stage).values():
        for _, part in getattr(machine, "steps", [("", machine)]):
            found += [each for name, each in sorted(vars(part).items())
                      if name.endswith("_") and isinstance(each, np.ndarray)]  # fmt: skip
    assert found
    return found


@pytest.mark.parametrize("new", [OverDecisions, OverPosteriors])
def test_what_decides_last_is_fitted_on_validation_rows_alone(new: type[parts.Stage]) -> None:
    name = "siddiqui-javaid" if new is OverDecisions else "luna-jimenez"
    units = store(image=UNITS)
    cut = by_actor(units, {3}, {4})
    samples = loaders.to_device(units, cut.train, "cpu")
    network = systems.make(name, units, 0)
    stage = new().fit(parts.Encoded(network, samples), cut)
    last = stage.last if new is OverDecisions else stage.machine
    label = samples.label.clone()
    label[cut.validation] = 2
    label[cut.validation[:4]] = 5
    again = new().fit(parts.Encoded(network, replace(samples, label=label)), cut)
    told = again.last if new is OverDecisions else again.machine
    assert last.classes_.tolist() == list(range(8))
    assert told.classes_.tolist() == [2, 5]
    found = again.log_posteriors(parts.Encoded(network, samples), cut.test)
    assert set(found.argmax(axis=1)) <= {2, 5}


LEARNS = Training(epochs=40, batch=8)


@pytest.mark.slow
@pytest.mark.parametrize(
    "told",
    [{"silent": True}, {"silent": True, "image": UNITS},
     {"silent": True, "sound": SPECTROGRAM, "image": STRIP},
     {"still": True, "sound": SEQUENCE, "image": UNITS}, {"still": True, "image": UNITS},
     {"still": True, "sound": SPECTROGRAM, "image": UNITS}],
    ids=["by pairs", "by units", "by strips", "by a sequence", "by means", "by spectrograms"],
)  # fmt: skip
@pytest.mark.parametrize("name", PLAIN)
def test_each_learns_32_clips_by_heart_from_either_modality(
    name: str, told: dict[str, object]
) -> None:
    few = store(**told)
    cut = all_at_once(few)
    assert len(cut.train) == 32
    samples = loaders.to_device(few, cut.train, "cpu")
    # Arithmetic differs from processor to processor, and some wobble where others have settled.
    trainings = (replace(LEARNS, epochs=epochs) for epochs in (40, 80))
    trained = (systems.train(name, few, samples, cut, training) for training in trainings)
    assert any(right(each, samples, cut.train) == 1 for each in trained)


@pytest.mark.slow
def test_every_reduction_with_every_classifier_learns() -> None:
    units = store(actors=8, image=UNITS)
    cut = by_actor(units, {5, 6}, {7, 8})
    samples = loaders.to_device(units, cut.train, "cpu")
    trained = systems.train("cornejo-pedrini", units, samples, cut, LEARNS)
    for rows, least in ((cut.train, 1), (cut.test, 0.6)):
        for variant, logs in trained.by_variant(samples, rows).items():
            np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, atol=1e-5)
            found = (logs.argmax(axis=1) == samples.label.numpy()[rows]).mean()
            assert found >= least, variant
    best = trained.by_variant(samples, cut.test)[trained.chosen]
    np.testing.assert_array_equal(trained.log_posteriors(samples, cut.test), best)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAIN)
def test_shuffled_labels_tell_nothing_of_unseen_speakers(name: str) -> None:
    many = store(actors=12, repetitions=2, image=UNITS)
    cut = by_actor(many, {7, 8}, {9, 10, 11, 12})
    samples = loaders.to_device(many, cut.train, "cpu")
    true = systems.train(name, many, samples, cut, replace(LEARNS, epochs=10))
    assert right(true, samples, cut.test) > 0.6
    order = torch.randperm(len(samples.label), generator=torch.Generator().manual_seed(0))
    shuffled = replace(samples, label=samples.label[order])
    misled = systems.train(name, many, shuffled, cut, replace(LEARNS, epochs=10))
    assert right(misled, shuffled, cut.test) < 0.3  # of 64 clips; chance is 0.125


@pytest.mark.slow
def test_five_emotions_are_learned_where_only_five_are_given() -> None:
    units = store(image=UNITS)
    five = units.rows["emotion"].isin(systems.SYSTEMS["siddiqui-javaid-five"].emotions)
    rows = np.flatnonzero(five)
    cut = Split(rows, rows, rows, "clip")
    samples = loaders.to_device(units, cut.train, "cpu")
    trained = systems.train("siddiqui-javaid-five", units, samples, cut, LEARNS)
    assert right(trained, samples, rows) == 1
    assert trained.log_posteriors(samples, rows)[:, [1, 5, 6]].max() < -10


LATER = ["msaf", "bottleneck"]
SPECTROGRAM, SIX = (64, 125), (64, 384, 3)


@pytest.mark.parametrize("name", LATER)
def test_frames_side_by_side_are_taken_however_many(name: str) -> None:
    for count in (2, 3, 6):
        row = (64, 64 * count, 3)
        network = systems.SYSTEMS[name].network(SPECTROGRAM, row).eval()
        mfcc, image = inputs(SPECTROGRAM, row)
        found = network(mfcc, image)["joint"]
        assert found.shape == (3, 8)
        image[..., -64:] += 1  # the last frame is looked at
        assert (network(mfcc, image)["joint"] - found).abs().amax(dim=1).min() > 1e-6


def test_frames_are_cut_in_their_order() -> None:
    each = torch.arange(6.0).repeat_interleave(4).expand(2, 3, 4, 24)
    assert torch.equal(parts.frames(each)[1, :, 0, 0, 0], torch.arange(6.0))
    assert parts.frames(each).shape == (2, 6, 3, 4, 4)


@pytest.mark.parametrize("name", LATER)
def test_of_an_absent_modality_nothing_is_left(name: str) -> None:
    network = networks.seeded(systems.SYSTEMS[name].network, SPECTROGRAM, SIX, seed=0).eval()
    mfcc, image = inputs(SPECTROGRAM, SIX)
    both = torch.ones(3, 2)
    torch.testing.assert_close(network(mfcc, image), network(mfcc, image, both))
    for other, present in ((-mfcc, image), [0.0, 1.0]), ((mfcc, -image), [1.0, 0.0]):
        there = torch.tensor([present] * 3)
        assert torch.equal(network(*other, there)["joint"], network(mfcc, image, there)["joint"])


def test_the_blocks_of_both_modalities_share_one_attention() -> None:
    attention, drawn = msaf.SplitAttention().eval(), torch.Generator().manual_seed(0)
    heard, seen = (torch.randn(3, 128, steps, generator=drawn) for steps in (31, 6))
    assert torch.equal(attention(heard, seen), torch.full((3, 8, 32), 1 / 8))  # at first
    for weight in attention.parameters():
        nn.init.normal_(weight, generator=drawn)
    told = attention(heard, seen)
    assert told.shape == (3, 8, 32)
    torch.testing.assert_close(told.sum(dim=1), torch.ones(3, 32))
    # Sound moves the attention of the faces' blocks, and the faces that of the sound's.
    assert (attention(heard + 1, seen) - told)[:, 4:].abs().max() > 1e-3
    assert (attention(heard, seen + 1) - told)[:, :4].abs().max() > 1e-3
    deaf = attention(heard, seen, torch.tensor([[0.0, 1.0]] * 3))
    assert deaf[:, :4].abs().max() == 0
    torch.testing.assert_close(deaf[:, 4:].sum(dim=1), torch.ones(3, 32))


def test_a_block_is_scaled_by_its_own_attention() -> None:
    network = systems.SYSTEMS["msaf"].network(SEQUENCE, PAIR).eval()
    scales = torch.arange(8.0)[:, None].expand(3, 8, 32)
    given, entered = {}, {}
    network.attention.register_forward_hook(lambda *_: scales)
    for half, there in (("sound_first", given), ("face_first", given)):
        network.get_submodule(half).register_forward_hook(
            lambda _, __, maps, half=half, there=there: there.update({half: maps})
        )
    for half in ("sound_second", "face_second"):
        network.get_submodule(half).register_forward_pre_hook(
            lambda _, maps, half=half: entered.update({half: maps[0]})
        )
    network(*inputs(SEQUENCE, PAIR))
    for modality, first in ("sound", 0), ("face", 4):
        for block in range(4):
            channels = slice(32 * block, 32 * (block + 1))
            torch.testing.assert_close(
                entered[f"{modality}_second"][:, channels],
                (first + block) * given[f"{modality}_first"][:, channels],
            )


def test_a_row_alone_is_normalised_by_what_was_seen_before() -> None:
    layer = msaf.Normalised(4).train()
    layer(torch.arange(128.0).view(32, 4))
    mean, alone = layer.running_mean.clone(), torch.ones(1, 4)
    found = layer(alone)
    assert torch.equal(layer.running_mean, mean)
    torch.testing.assert_close(found, layer.eval()(alone))


def test_sound_reaches_the_face_through_the_bottleneck_alone() -> None:
    network = networks.seeded(bottleneck.Bottleneck, SPECTROGRAM, SIX, seed=0).eval()
    mfcc, image = inputs(SPECTROGRAM, SIX)
    each = torch.full((3, 2), 0.5)
    own = torch.tensor([[0.0, 1.0]] * 3)  # the bottleneck holds what the faces say alone

    def moved(shares: torch.Tensor) -> list[float]:
        """How much another sound moves the CLS token of sound, and of the faces."""
        change = network.cls(mfcc + 1, image, shares) - network.cls(mfcc, image, shares)
        return change.abs().amax(dim=(0, 2)).tolist()

    heard, seen = moved(each)
    assert min(heard, seen) > 1e-4
    assert moved(own)[1] == 0
    del network.fusions[1:]  # in the first fusion layer both get the same learnt bottleneck
    assert moved(each)[0] > 1e-4
    assert moved(each)[1] == 0
