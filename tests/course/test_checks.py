"""Every check lets the solution pass, tells what to do with the stub, and names real mistakes."""

import decimal
import itertools
import re
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
import torch
from shown import NOTEBOOKS, Exercise, exercises, shown

from avlib.corpus.ravdess import EMOTIONS
from avlib.course import checks

EXERCISES = exercises()
# For each exercise answers that students give; beside each, what the hint must speak of.
_WRONG_ANSWERS = r"""
# 0.1
number_of_clips = clips.shape[1]  # columns
number_of_clips = clips.size  # rows times columns
number_of_clips = clips['actor'].nunique()  # actors
# 0.2
def seconds_of(path):  # number of samples
    return len(audio.load(path)[0])
def seconds_of(path):  # upside down
    s, r = audio.load(path)
    return r / len(s)
def seconds_of(path):  # whole
    s, r = audio.load(path)
    return len(s) // r
def seconds_of(path):  # their rate
    return len(audio.load(path)[0]) / 48000
def seconds_of(path):  # `return`
    s, r = audio.load(path)
    len(s) / r
def seconds_of(path):  # NameError
    return len(audio.load(path)) / rate
# 0.3
def loudest_values(clips, actor):  # below zero
    return {n: audio.load(clips.query(f'actor == {actor} and emotion == {c}')
            .iloc[0].sound)[0].max() for c, n in enumerate(ravdess.EMOTIONS, 1)}
def loudest_values(clips, actor):  # another actor
    return {n: abs(audio.load(clips.query(f'emotion == {c}')
            .iloc[0].sound)[0]).max() for c, n in enumerate(ravdess.EMOTIONS, 1)}
def loudest_values(clips, actor):  # names
    return {c: abs(audio.load(clips.query(f'actor == {actor} and emotion == {c}')
            .iloc[0].sound)[0]).max() for c in range(1, 9)}
def loudest_values(clips, actor):  # mean
    return {n: abs(audio.load(clips.query(f'actor == {actor} and emotion == {c}')
            .iloc[0].sound)[0]).mean() for c, n in enumerate(ravdess.EMOTIONS, 1)}
# 1.1
file_name = '01-01-07-02-02-02-07.mp4'  # modality
file_name = '03-01-07-02-01-02-07.wav'  # statement
file_name = '3-1-7-2-2-2-7.wav'  # two digits
file_name = 3010702020207  # quotation marks
file_name = '03-01-07-02-02-02-07'  # `\.wav`
# 1.2
def count_takes(clips):  # Both repetitions
    return len(clips)
def count_takes(clips):  # not every take
    return len(clips) // 2
def count_takes(clips):  # differ in intensity
    return clips.groupby(['actor', 'emotion', 'statement']).ngroups
def count_takes(clips):  # differ in statement
    return clips.groupby(['actor', 'emotion', 'intensity']).ngroups
# 1.3
def loudness_recogniser_accuracy(named):  # medians
    m = named.groupby('emotion')['loudness (dB)'].mean()
    d = [(m - x).abs().idxmin() for x in named['loudness (dB)']]
    return float((named['emotion'] == d).mean())
def loudness_recogniser_accuracy(named):  # absolute
    m = named.groupby('emotion')['loudness (dB)'].median()
    d = [(m - x).idxmin() for x in named['loudness (dB)']]
    return float((named['emotion'] == d).mean())
def loudness_recogniser_accuracy(named):  # per cent
    m = named.groupby('emotion')['loudness (dB)'].median()
    d = [(m - x).abs().idxmin() for x in named['loudness (dB)']]
    return 100 * float((named['emotion'] == d).mean())
# 2.1
def analysis_frames(samples, hop=512):  # one too few
    return samples // hop
def analysis_frames(samples, hop=512):  # whole
    return 1 + samples / hop
def analysis_frames(samples, hop=512):  # argument
    return 1 + samples // 512
def analysis_frames(samples, hop=512):  # whole hops
    return -(-samples // hop)
def analysis_frames(samples, hop=512):  # centred
    return 1 + (samples - 2048) // hop
# 2.2
def pair_times_across():  # axes are swapped
    b = np.arange(0.5, 3.0, 0.5)
    return np.stack([b - 0.1, b + 0.1])
def pair_times_across():  # five borders
    b = np.arange(0.5, 3.5, 0.5)
    return np.stack([b - 0.1, b + 0.1], axis=1)
def pair_times_across():  # earlier frame
    b = np.arange(0.5, 3.0, 0.5)
    return np.stack([b + 0.1, b - 0.1], axis=1)
def pair_times_across():  # 0.4 and 0.6
    b = np.arange(0.5, 3.0, 0.5)
    return np.stack([b, b + 0.2], axis=1)
# 2.3
def mean_and_deviation(path):  # wrong axis
    s, r = audio.load(path)
    t = audio.mfcc(audio.resample(s, r, 22_050), 22_050)
    return np.concatenate([t.mean(axis=0), t.std(axis=0)])
def mean_and_deviation(path):  # resampled
    s, r = audio.load(path)
    t = audio.mfcc(s, r)
    return np.concatenate([t.mean(axis=1), t.std(axis=1)])
def mean_and_deviation(path):  # two rows
    s, r = audio.load(path)
    t = audio.mfcc(audio.resample(s, r, 22_050), 22_050)
    return np.stack([t.mean(axis=1), t.std(axis=1)])
def mean_and_deviation(path):  # variance
    s, r = audio.load(path)
    t = audio.mfcc(audio.resample(s, r, 22_050), 22_050)
    return np.concatenate([t.mean(axis=1), t.var(axis=1)])
# 3.1
weights = 64 * 32 * 5  # bias
weights = 64 * (5 + 1)  # all 32 channels
weights = 32 * (64 * 5 + 1)  # crosswise
weights = 'many'  # one number
# 3.2
def recall(logits, label, emotion):  # precision
    d = logits.argmax(dim=1)
    return (label[d == emotion] == emotion).float().mean()
def recall(logits, label, emotion):  # accuracy
    d = logits.argmax(dim=1)
    return (d == label).float().mean()
def recall(logits, label, emotion):  # IndexError
    d = logits.argmax(dim=0)
    return (d[label == emotion] == emotion).float().mean()
def recall(logits, label, emotion):  # share
    d = logits.argmax(dim=1)
    return ((d == emotion) & (label == emotion)).sum()
# 3.3
def network_with_dropout():  # no `nn
    return nn.Sequential(AudioCNN(), Classifier(640))
def network_with_dropout():  # after the classifier
    return nn.Sequential(AudioCNN(), Classifier(640), nn.Dropout(0.5))
def network_with_dropout():  # before the CNN
    return nn.Sequential(nn.Dropout(0.5), AudioCNN(), Classifier(640))
def network_with_dropout():  # half
    return nn.Sequential(AudioCNN(), nn.Dropout(0.05), Classifier(640))
def network_with_dropout():  # do not fit
    return nn.Sequential(AudioCNN(), nn.Dropout(0.5), Classifier(320))
# 4.1
joint_input = 2 * 640  # equal dimension
joint_input = 640 * 100  # not multiplied
joint_input = 640 + 1024  # \*into\*
# 4.2
def image_only_total(each):  # audio loss is still
    return total_loss(each, image_weight=2.0)
def image_only_total(each):  # weight 2
    return total_loss(each, audio_weight=0.0)
def image_only_total(each):  # joint loss is missing
    return 2 * each['image']
# 4.3
def late_fusion(scores):  # averaged logits
    return (scores['audio'] + scores['image']) / 2
def late_fusion(scores):  # wrong dimension
    return (scores['audio'].log_softmax(dim=0) + scores['image'].log_softmax(dim=0)) / 2
def late_fusion(scores):  # \*log\*
    return (scores['audio'].softmax(dim=1) + scores['image'].softmax(dim=1)) / 2
def late_fusion(scores):  # audio head
    return scores['image'].log_softmax(dim=1).double()
def late_fusion(scores):  # sum
    return scores['audio'].log_softmax(dim=1) + scores['image'].log_softmax(dim=1)
# 5.1
calm_accuracy, calm_uar = 192 / 1440, 1 / 8  # per cent
calm_accuracy, calm_uar = 100 * 192 / 1440, 100 * 192 / 1440  # each \*emotion\*
calm_accuracy, calm_uar = 100 * 192 / 1440, 100  # other seven
calm_accuracy, calm_uar = 12.5, 12.5  # \*are\* calm
# 5.2
def uar(label, decided):  # accuracy
    return (label == decided).mean()
def uar(label, decided):  # precisions
    return np.mean([(label[decided == c] == c).mean() for c in np.unique(decided)])
def uar(label, decided):  # divide by 8
    return sum((decided[label == c] == c).mean() for c in np.unique(label)) / 8
# 5.3
def colleagues_split(rows):  # swapped
    later = rows.duplicated('clip').to_numpy()
    return np.flatnonzero(~later), np.flatnonzero(later)
def colleagues_split(rows):  # marks
    later = rows.duplicated('clip').to_numpy()
    return later, ~later
def colleagues_split(rows):  # stands twice
    later = rows.duplicated('clip').to_numpy()
    return np.flatnonzero(later), np.repeat(np.flatnonzero(~later), 2)
def colleagues_split(rows):  # array of numbers
    later = rows.duplicated('clip').to_numpy()
    return rows[later], rows[~later]
def colleagues_split(rows):  # every sixth
    n = np.arange(len(rows))
    return n[n % 6 > 0], n[n % 6 == 0]
# 6.1
pairs, tested_clips, units = 1440, 240, 240  # same few people
pairs, tested_clips, units = 240, 1440, 4  # pairs first
pairs, tested_clips, units = 360, 60, 4  # 60 clips of .each.
pairs, tested_clips, units = 1440, 240, 24  # How many of them are in the test
# 6.2
def crossing(rows, train, test, column):  # `iloc`, not `loc`
    return sorted(set(rows[column].loc[train]) & set(rows[column].loc[test]))
def crossing(rows, train, test, column):  # stand on .both.
    return sorted(set(rows[column].iloc[train]) | set(rows[column].iloc[test]))
def crossing(rows, train, test, column):  # that is a number
    return len(set(rows[column].iloc[train]) & set(rows[column].iloc[test]))
def crossing(rows, train, test, column):  # no order
    return set(rows[column].iloc[train]) & set(rows[column].iloc[test])
def crossing(rows, train, test, column):  # each value once
    there = set(rows[column].iloc[train])
    return [one for one in rows[column].iloc[test] if one in there]
# 6.3
def by_actor(mfcc, actor):  # over all clips
    return (mfcc - mfcc.mean(axis=0)) / mfcc.std(axis=0)
def by_actor(mfcc, actor):  # deviation is not 1
    made = mfcc.copy()
    for one in np.unique(actor):
        made[actor == one] -= made[actor == one].mean(axis=0)
    return made
def by_actor(mfcc, actor):  # of each clip
    made = mfcc.copy()
    for one in np.unique(actor):
        own = made[actor == one].T
        made[actor == one] = ((own - own.mean(axis=0)) / own.std(axis=0)).T
    return made
def by_actor(mfcc, actor):  # less one
    by = pd.DataFrame(mfcc).groupby(actor)
    return (mfcc - by.transform('mean')) / by.transform('std')
def by_actor(mfcc, actor):  # into a copy
    for one in np.unique(actor):
        own = mfcc[actor == one]
        mfcc[actor == one] = (own - own.mean(axis=0)) / own.std(axis=0)
    return mfcc
# 7.1
def share_lost(both, without):  # Divide by `both`
    return both - without
def share_lost(both, without):  # not by the one without
    return (both - without) / without
def share_lost(both, without):  # sign is turned
    return (without - both) / both
def share_lost(both, without):  # share that \*stays\*
    return without / both
def share_lost(both, without):  # per cent
    return 100 * (both - without) / both
def share_lost(both, without):  # Leave the sign
    return abs(both - without) / both
def share_lost(both, without):  # Leave the sign
    return max(both - without, 0) / both
# 7.2
def slow_down(own, other, label, alpha):  # 1 \*minus\* that
    s = [x.softmax(dim=1)[range(len(label)), label].sum() for x in (own, other)]
    return np.tanh(alpha * float(s[0] / s[1])) if s[0] > s[1] else 1.0
def slow_down(own, other, label, alpha):  # keeps its gradient
    s = [x.softmax(dim=1)[range(len(label)), label].sum() for x in (own, other)]
    return 1 - np.tanh(alpha * float(s[0] / s[1]))
def slow_down(own, other, label, alpha):  # should be slowed down
    s = [x.softmax(dim=1)[range(len(label)), label].sum() for x in (own, other)]
    return 1 - np.tanh(alpha * float(s[0] / s[1])) if s[0] < s[1] else 1.0
def slow_down(own, other, label, alpha):  # those are logits
    s = [x[range(len(label)), label].sum() for x in (own, other)]
    return 1 - np.tanh(alpha * float(s[0] / s[1]))
def slow_down(own, other, label, alpha):  # wrong dimension
    s = [x.softmax(dim=0)[range(len(label)), label].sum() for x in (own, other)]
    return 1 - np.tanh(alpha * float(s[0] / s[1])) if s[0] > s[1] else 1.0
def slow_down(own, other, label, alpha):  # whatever was predicted
    s = [x.softmax(dim=1).amax(dim=1).sum() for x in (own, other)]
    return 1 - np.tanh(alpha * float(s[0] / s[1])) if s[0] > s[1] else 1.0
def slow_down(own, other, label, alpha):  # always 1
    s = [x.softmax(dim=1).sum() for x in (own, other)]
    return 1 - np.tanh(alpha * float(s[0] / s[1]))
def slow_down(own, other, label, alpha):  # where is α
    s = [x.softmax(dim=1)[range(len(label)), label].sum() for x in (own, other)]
    return 1 - np.tanh(float(s[0] / s[1])) if s[0] > s[1] else 1.0
# 7.3
def blend(before, after):  # absolute value of G
    w = {n: abs(before[n][1] - after[n][1]) / ((after[n][1] - after[n][0])
         - (before[n][1] - before[n][0])) ** 2 for n in before}
    return {n: each / sum(w.values()) for n, each in w.items()}
def blend(before, after):  # negative weight
    w = {n: (before[n][1] - after[n][1]) / ((after[n][1] - after[n][0])
         - (before[n][1] - before[n][0])) ** 2 for n in before}
    return {n: each / sum(w.values()) for n, each in w.items()}
def blend(before, after):  # do not sum to 1
    return {n: max(before[n][1] - after[n][1], 0) / ((after[n][1] - after[n][0])
            - (before[n][1] - before[n][0])) ** 2 for n in before}
def blend(before, after):  # is squared
    w = {n: max(before[n][1] - after[n][1], 0) / ((after[n][1] - after[n][0])
         - (before[n][1] - before[n][0])) for n in before}
    return {n: each / sum(w.values()) for n, each in w.items()}
def blend(before, after):  # after less before
    w = {n: max(before[n][1] - after[n][1], 0) / (after[n][1] - after[n][0]) ** 2 for n in before}
    return {n: each / sum(w.values()) for n, each in w.items()}
def blend(before, after):  # not the training
    w = {n: max(before[n][0] - after[n][0], 0) / ((after[n][1] - after[n][0])
         - (before[n][1] - before[n][0])) ** 2 for n in before}
    return {n: each / sum(w.values()) for n, each in w.items()}
def blend(before, after):  # a dict is asked for
    return [1 / 3, 1 / 3, 1 / 3]
def blend(before, after):  # keys should be the names
    return {0: 0.5, 1: 0.5, 2: 0.0}
# 8.1
protocols_found = dict(A="actor", B="pair", C="actor", D="unsaid", E="clip")  # A: nothing is said
protocols_found = dict(A="clip", B="clip", C="actor", D="unsaid", E="clip")  # B: what is drawn
protocols_found = dict(A="clip", B="pair", C="clip", D="unsaid", E="clip")  # C: all recordings
protocols_found = dict(A="clip", B="pair", C="actor", D="clip", E="clip")  # D: ten folds of
protocols_found = dict(A="clip", B="pair", C="actor", D="unsaid", E="actor")  # E: both
protocols_found = dict(A="clip", B="pair", C="actor")  # D, E is not there
protocols_found = dict(A="clips", B="pair", C="actor", D="unsaid", E="actor")  # A: write one of
protocols_found = ["clip", "pair", "actor", "unsaid", "clip"]  # dict
# 8.2
def lda_knn(train, label, test, k):  # as they were
    d = np.linalg.norm(test[:, None] - train[None], axis=2).argsort(axis=1)[:, :k]
    return np.array([np.bincount(label[row]).argmax() for row in d])
def lda_knn(train, label, test, k):  # LDA itself predicts
    return LinearDiscriminantAnalysis().fit(train, label).predict(test)
def lda_knn(train, label, test, k):  # all `k` vote
    lda = LinearDiscriminantAnalysis().fit(train, label)
    d = np.linalg.norm(lda.transform(test)[:, None] - lda.transform(train)[None], axis=2)
    return label[d.argmin(axis=1)]
def lda_knn(train, label, test, k):  # where is `k`
    lda = LinearDiscriminantAnalysis().fit(train, label)
    d = np.linalg.norm(lda.transform(test)[:, None] - lda.transform(train)[None], axis=2)
    return np.array([np.bincount(label[row]).argmax() for row in d.argsort(axis=1)[:, :5]])
def lda_knn(train, label, test, k):  # left out the nearest
    lda = LinearDiscriminantAnalysis().fit(train, label)
    d = np.linalg.norm(lda.transform(test)[:, None] - lda.transform(train)[None], axis=2)
    return np.array([np.bincount(label[row]).argmax() for row in d.argsort(axis=1)[:, 1:k + 1]])
def lda_knn(train, label, test, k):  # farthest
    lda = LinearDiscriminantAnalysis().fit(train, label)
    d = np.linalg.norm(lda.transform(test)[:, None] - lda.transform(train)[None], axis=2)
    return np.array([np.bincount(label[row]).argmax() for row in d.argsort(axis=1)[:, -k:]])
def lda_knn(train, label, test, k):  # row numbers
    lda = LinearDiscriminantAnalysis().fit(train, label)
    d = np.linalg.norm(lda.transform(test)[:, None] - lda.transform(train)[None], axis=2)
    return d.argmin(axis=1)
def lda_knn(train, label, test, k):  # have no mean
    lda = LinearDiscriminantAnalysis().fit(train, label)
    d = np.linalg.norm(lda.transform(test)[:, None] - lda.transform(train)[None], axis=2)
    return label[d.argsort(axis=1)[:, :k]].mean(axis=1).round()
def lda_knn(train, label, test, k):  # one for each row of
    lda = LinearDiscriminantAnalysis().fit(train, label)
    d = np.linalg.norm(lda.transform(test)[:, None] - lda.transform(train)[None], axis=2)
    return label[d.argsort(axis=1)[:, :k]]
# 8.3
class Mine(nn.Module):  # does not depend on the face
    decision, needs_image = "joint", True
    def __init__(self, mfcc_shape, image_shape):
        super().__init__()
        self.sound, self.both = parts.SoundCNN(mfcc_shape), nn.Linear(128, 8)
    def forward(self, mfcc, image, present=None):
        return {"joint": self.both(self.sound(parts.as_image(mfcc)))}
class Mine(nn.Module):  # does not depend on the sound
    decision, needs_image = "joint", True
    def __init__(self, mfcc_shape, image_shape):
        super().__init__()
        self.face, self.both = networks.VectorMLP(*image_shape), nn.Linear(128, 8)
    def forward(self, mfcc, image, present=None):
        return {"joint": self.both(self.face(image))}
class Mine(nn.Module):  # a dict is asked for
    decision, needs_image = "joint", True
    def __init__(self, mfcc_shape, image_shape):
        super().__init__()
        self.sound, self.face = parts.SoundCNN(mfcc_shape), networks.VectorMLP(*image_shape)
        self.both = nn.Linear(256, 8)
    def forward(self, mfcc, image, present=None):
        return self.both(torch.cat([self.sound(parts.as_image(mfcc)), self.face(image)], dim=1))
class Mine(nn.Module):  # after a softmax
    decision, needs_image = "joint", True
    def __init__(self, mfcc_shape, image_shape):
        super().__init__()
        self.sound, self.face = parts.SoundCNN(mfcc_shape), networks.VectorMLP(*image_shape)
        self.both = nn.Linear(256, 8)
    def forward(self, mfcc, image, present=None):
        both = torch.cat([self.sound(parts.as_image(mfcc)), self.face(image)], dim=1)
        return {"joint": self.both(both).softmax(dim=1)}
class Mine(nn.Module):  # over which dimension
    decision, needs_image = "joint", True
    def __init__(self, mfcc_shape, image_shape):
        super().__init__()
        self.sound, self.face = parts.SoundCNN(mfcc_shape), networks.VectorMLP(*image_shape)
        self.both = nn.Linear(128, 8)
    def forward(self, mfcc, image, present=None):
        seen = self.face(image)
        return {"joint": self.both(self.sound(parts.as_image(mfcc)) + seen - seen.mean(dim=0))}
class Mine(nn.Module):  # stopped with.*mat1
    decision, needs_image = "joint", True
    def __init__(self, mfcc_shape, image_shape):
        super().__init__()
        self.sound, self.face = parts.SoundCNN(mfcc_shape), networks.VectorMLP(*image_shape)
        self.both = nn.Linear(128, 8)
    def forward(self, mfcc, image, present=None):
        both = torch.cat([self.sound(parts.as_image(mfcc)), self.face(image)], dim=1)
        return {"joint": self.both(both)}
class Mine(nn.Module):  # a column for each emotion
    decision, needs_image = "joint", True
    def __init__(self, mfcc_shape, image_shape):
        super().__init__()
        self.sound, self.face = parts.SoundCNN(mfcc_shape), networks.VectorMLP(*image_shape)
    def forward(self, mfcc, image, present=None):
        return {"joint": self.sound(parts.as_image(mfcc)) * self.face(image)}
class Mine(nn.Module):  # no result depends on these
    decision, needs_image = "joint", True
    def __init__(self, mfcc_shape, image_shape):
        super().__init__()
        self.sound, self.face = parts.SoundCNN(mfcc_shape), networks.VectorMLP(*image_shape)
        self.both, self.gate = nn.Linear(128, 8), nn.Linear(128, 128)
    def forward(self, mfcc, image, present=None):
        return {"joint": self.both(self.sound(parts.as_image(mfcc)) * self.face(image))}
class Mine(nn.Module):  # needs_image
    def forward(self, mfcc, image, present=None):
        return {"joint": image}
# 9.1
def sounding(level):  # full scale
    frames = np.flatnonzero(level > -40)
    return frames[0], frames[-1]
def sounding(level):  # quietest
    frames = np.flatnonzero(level > level.min() + 40)
    return frames[0], frames[-1]
def sounding(level):  # first pause
    loud = level > level.max() - 40
    first = loud.argmax()
    return first, first + (~loud[first:]).argmax() - 1
def sounding(level):  # one too far
    frames = np.flatnonzero(level > level.max() - 40)
    return frames[0], frames[-1] + 1
def sounding(level):  # \*all\* frames
    return np.flatnonzero(level > level.max() - 40)
def sounding(level):  # turn the comparison round
    frames = np.flatnonzero(level < level.max() - 40)
    return frames[0], frames[-1]
def sounding(level):  # those are levels
    loud = level[level > level.max() - 40]
    return loud[0], loud[-1]
def sounding(level):  # True or False
    return level > level.max() - 40
# 9.2
def fused(voice, face, voice_weight, face_weight):  # do not sum to one
    return voice_weight * voice + face_weight * face
def fused(voice, face, voice_weight, face_weight):  # wrong axis
    return log_softmax(voice_weight * voice + face_weight * face, axis=0)
def fused(voice, face, voice_weight, face_weight):  # all clips together
    return log_softmax(voice_weight * voice + face_weight * face)
def fused(voice, face, voice_weight, face_weight):  # their sum
    total = voice_weight * voice + face_weight * face
    return log_softmax(total / (voice_weight + face_weight), axis=1)
def fused(voice, face, voice_weight, face_weight):  # averaged the probabilities
    mixed = voice_weight * np.exp(voice) + face_weight * np.exp(face)
    return np.log(mixed / mixed.sum(axis=1, keepdims=True))
def fused(voice, face, voice_weight, face_weight):  # swapped
    return log_softmax(face_weight * voice + voice_weight * face, axis=1)
def fused(voice, face, voice_weight, face_weight):  # where are the weights
    return log_softmax(voice + face, axis=1)
def fused(voice, face, voice_weight, face_weight):  # \*logarithms\* are asked for
    return np.exp(log_softmax(voice_weight * voice + face_weight * face, axis=1))
# 9.3
def expected_mean(clips, m, d):  # mean of nothing
    k = len(clips)
    return (k * clips.mean(axis=0) + d * m) / (k + d)
def expected_mean(clips, m, d):  # clips alone
    return clips.mean(axis=0)
def expected_mean(clips, m, d):  # swapped
    k = len(clips)
    return (d * clips.mean(axis=0) + k * m) / (k + d)
def expected_mean(clips, m, d):  # halfway
    return (clips.mean(axis=0) + m) / 2
def expected_mean(clips, m, d):  # count as one
    return (clips.mean(axis=0) + d * m) / (1 + d)
def expected_mean(clips, m, d):  # where is d
    return (clips.sum(axis=0) + m) / (len(clips) + 1)
def expected_mean(clips, m, d):  # Divide it by k \+ d
    return clips.sum(axis=0) + d * m
def expected_mean(clips, m, d):  # d of its own
    return (clips.sum(axis=0) + d.mean() * m) / (len(clips) + d.mean())
def expected_mean(clips, m, d):  # expect `m`
    return (clips.sum(axis=0) + d * m) / (len(clips) + d) if len(clips) else 0 * m
# 10.1
def answer(probabilities, least):  # the probability
    return max(probabilities.values())
def answer(probabilities, least):  # last name in the alphabet
    return max(probabilities)
def answer(probabilities, least):  # \*least\* likely
    return min(probabilities, key=probabilities.get)
def answer(probabilities, least):  # none should be named
    return max(probabilities, key=probabilities.get)
def answer(probabilities, least):  # includes equality
    likeliest = max(probabilities, key=probabilities.get)
    return likeliest if probabilities[likeliest] > least else "no emotion stands out"
def answer(probabilities, least):  # the text for doubt is
    likeliest = max(probabilities, key=probabilities.get)
    return likeliest if probabilities[likeliest] >= least else "none"
def answer(probabilities, least):  # is there a `return`
    likeliest = max(probabilities, key=probabilities.get)
    print(likeliest if probabilities[likeliest] >= least else "no emotion stands out")
# 10.2
def clips_needed(p, width):  # plain interval
    z, n = 1.96, 1
    while 2 * z * np.sqrt(p * (1 - p) / n) > width:
        n = n + 1
    return n
def clips_needed(p, width):  # half of the interval
    z, n = 1.96, 1
    while z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) > width:
        n = n + 1
    return n
def clips_needed(p, width):  # one too many
    z, n = 1.96, 1
    while 2 * z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) > width:
        n = n + 1
    return n + 1
def clips_needed(p, width):  # one too few
    z, n = 1.96, 1
    while 2 * z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) > width:
        n = n + 1
    return n - 1
def clips_needed(p, width):  # divide by 1
    z, n = 1.96, 1
    while 2 * z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) > width:
        n = n + 1
    return n
def clips_needed(p, width):  # where is the root
    z, n = 1.96, 1
    while 2 * z / (1 + z**2 / n) * (p * (1 - p) / n + z**2 / (4 * n**2)) > width:
        n = n + 1
    return n
def clips_needed(p, width):  # whole number
    return 1.96**2 * p * (1 - p) / (width / 2) ** 2 + 0.5
# 10.3
def difference(you, recogniser):  # different clips
    one, two = np.array(you, float), np.array(recogniser, float)
    error = np.sqrt(one.var(ddof=1) / len(one) + two.var(ddof=1) / len(two))
    middle = one.mean() - two.mean()
    return middle, middle - 1.96 * error, middle + 1.96 * error
def difference(you, recogniser):  # ddof=1
    each = np.array(you, float) - np.array(recogniser, float)
    error = each.std() / np.sqrt(len(each))
    return each.mean(), each.mean() - 1.96 * error, each.mean() + 1.96 * error
def difference(you, recogniser):  # sign is turned
    each = np.array(recogniser, float) - np.array(you, float)
    error = each.std(ddof=1) / np.sqrt(len(each))
    return each.mean(), each.mean() - 1.96 * error, each.mean() + 1.96 * error
def difference(you, recogniser):  # over the root of n
    each = np.array(you, float) - np.array(recogniser, float)
    error = each.std(ddof=1)
    return each.mean(), each.mean() - 1.96 * error, each.mean() + 1.96 * error
def difference(you, recogniser):  # yours is one
    each = np.array(you, float) - np.array(recogniser, float)
    error = each.std(ddof=1) / np.sqrt(len(each))
    return each.mean(), each.mean() - error, each.mean() + error
def difference(you, recogniser):  # absolute values
    each = np.abs(np.array(you, float) - np.array(recogniser, float))
    error = each.std(ddof=1) / np.sqrt(len(each))
    return each.mean(), each.mean() - 1.96 * error, each.mean() + 1.96 * error
def difference(you, recogniser):  # three numbers
    return np.mean(you) - np.mean(recogniser)
"""
MISTAKES = {
    number: [
        (f"{first}\n{rest}", hint)
        for first, hint, rest in re.findall(r"^(\S.*)  # (.+)\n((?: .+\n)*)", answers, re.M)
    ]
    for number, answers in re.findall(r"^# (.+)\n((?:[^#\n].*\n)+)", _WRONG_ANSWERS, re.M)
}
ANSWERS = [
    pytest.param(exercise, answer, hint, id=f"{exercise.number}-{number}")
    for exercise in EXERCISES
    for number, (answer, hint) in enumerate(MISTAKES[exercise.number])
]


@pytest.fixture(scope="module")
def lessons() -> dict[str, dict[str, object]]:
    """The names that each lesson defines."""
    return {path.name[:2]: vars(shown(path.name[:2])) for path in NOTEBOOKS}


def judged(
    exercise: Exercise, code: str, lessons: dict[str, dict[str, object]], clips: pd.DataFrame
) -> str | None:
    names = {**lessons[exercise.lesson], "clips": clips}
    exec(code, names)
    return checks.judge(exercise.number, *(eval(each, names) for each in exercise.arguments))


def test_every_exercise_has_a_check_and_every_check_an_exercise() -> None:
    numbers = [exercise.number for exercise in EXERCISES]
    assert numbers == checks.exercises() == list(MISTAKES)
    assert all(len(mistakes) >= 2 for mistakes in MISTAKES.values())
    written = re.findall(r"^[^# \n]", _WRONG_ANSWERS, re.M)
    assert len(written) == sum(map(len, MISTAKES.values()))  # none was read over


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.number)
class TestEveryExercise:
    def test_the_folded_solution_passes(
        self, exercise: Exercise, lessons: dict[str, dict[str, object]], clips: pd.DataFrame
    ) -> None:
        assert judged(exercise, exercise.solution, lessons, clips) is None

    def test_the_untouched_stub_is_told_what_to_do(
        self, exercise: Exercise, lessons: dict[str, dict[str, object]], clips: pd.DataFrame
    ) -> None:
        assert "run both cells again" in judged(exercise, exercise.stub, lessons, clips)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the mistakes themselves
@pytest.mark.parametrize(("exercise", "answer", "hint"), ANSWERS)
def test_a_mistake_is_refused_by_name(
    exercise: Exercise,
    answer: str,
    hint: str,
    lessons: dict[str, dict[str, object]],
    clips: pd.DataFrame,
    record_property: Callable[[str, object], None],
) -> None:
    assert re.search(hint, judged(exercise, answer, lessons, clips))
    record_property("lesson", (exercise.lesson, {"wrong answers refused": 1}))


def test_a_check_prints_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert checks.check("4.1", 740)
    assert not checks.check("4.1", 1280)
    right, wrong = capsys.readouterr().out.splitlines()
    assert right == "✓ Exercise 4.1: right."
    assert wrong.startswith("✗ Exercise 4.1: that is with equal dimension")


def test_a_wrong_answer_raises_where_nbgrader_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert checks.check("4.1", 740)
    with pytest.raises(checks.AnswerError, match=r"Exercise 4\.1: that is with equal dimension"):
        checks.check("4.1", 1280)


class Thorny:
    """An answer that fails whatever is done with it."""

    def __getattribute__(self, name: str) -> object:
        if name == "__class__":
            return Thorny
        raise ZeroDivisionError("every name of mine fails")

    def _fails(self, *_: object) -> None:
        raise ZeroDivisionError("whatever is done with me fails")

    __eq__ = __hash__ = __len__ = __iter__ = __float__ = __bool__ = __repr__ = __str__ = _fails
    __array__ = __getitem__ = __contains__ = __index__ = _fails


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("and this fails, too")


def in_itself() -> list[object]:
    endless: list[object] = []
    endless.append(endless)
    return endless


def unspeakable(*_: object) -> None:
    raise UnspeakableError


def endless(*_: object) -> Iterator[int]:
    yield from itertools.count()


# What no exercise asks for. None of it may end in anything but a hint.
HOSTILE = {
    "no answer": None, "an empty text": "", "a text": "many", "a long text": "1" * 10_000,
    "bytes": b"\x00\xff", "yes": True, "no": np.False_, "not a number": float("nan"),
    "infinite": float("-inf"), "below zero": -7, "far too large": 10**400, "complex": 1 + 2j,
    "decimal": decimal.Decimal("NaN"), "an empty list": [], "a ragged list": [[1.0], [2.0, 3.0]],
    "a list of texts": ["0.4", "0.6"], "a list in itself": in_itself(),
    "unequal sides": ([0], [[1, 2]]), "two numbers": (1, 2), "five empty tuples": ((),) * 5,
    "an empty dictionary": {}, "a dictionary": {"happy": [1, 2]},
    "a set": {(1, 2), "a"}, "an object": object(), "a class": dict, "a module": sys,
    "a generator": endless(), "a range": range(3), "an empty array": np.array([]),
    "three axes": np.zeros((2, 2, 2)),
    "texts": np.array(["a", "b"]), "marks": np.array([True, False]),
    "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "records": np.zeros(3, dtype=[("a", int)]), "objects": np.array([None, {}], dtype=object),
    "an empty table": pd.DataFrame(), "a table": pd.DataFrame({"a": ["x"], "b": [1]}),
    "no time": pd.NaT, "missing": pd.NA, "a tensor": torch.tensor([1.0, 2.0]),
    "with a gradient": torch.ones(9, 8, requires_grad=True) * torch.nan,
    "sparse": torch.eye(3).to_sparse(), "of no device": torch.empty(3, device="meta"),
    "a recogniser": torch.nn.Linear(3, 2), "thorny": Thorny(),
}  # fmt: skip
FUNCTIONS = {
    "no arguments": lambda: 1, "too many": lambda a, b, c, d, e, f, g: 1, "leaves": sys.exit,
    "too deep": lambda *given: FUNCTIONS["too deep"](*given), "for ever": endless,
    "unspeakable": unspeakable, "what it got": lambda *given: given,
    "its first": lambda first=0, *_: first, "its last": lambda *given: given[-1],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.number)
def test_whatever_an_answer_is_the_learner_gets_a_hint(
    exercise: Exercise, clips: pd.DataFrame
) -> None:
    given = (clips,) if len(exercise.arguments) == 2 else ()
    answers: dict[str, object] = dict(FUNCTIONS)
    for name, value in HOSTILE.items():
        answers |= {
            name: value,
            f"returns {name}": lambda *_, value=value: value,
            f"two: {name}": (value, value),
            f"three: {name}": (value, value, value),
            f"returns two: {name}": lambda *_, value=value: (value, value),
            f"returns eight: {name}": lambda *_, value=value: dict.fromkeys(EMOTIONS, value),
        }
    for name, answer in answers.items():
        hint = checks.judge(exercise.number, answer, *given)
        assert hint, name
        assert "at fault" not in hint, f"{name}: {hint}"
        assert len(hint) < 500, name


def test_a_judge_of_ours_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(answer: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setitem(checks.judging._judges, "9.9", fails)
    monkeypatch.delenv("AVLIB_DEBUG", raising=False)
    said = checks.judge("9.9", 1)
    assert "itself is at fault, not your answer" in said
    assert "ZeroDivisionError: ours" in said
    monkeypatch.setenv("AVLIB_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        checks.judge("9.9", 1)
    with pytest.raises(KeyError, match=r"no exercise '99\.1'"):
        checks.judge("99.1", 1)


def test_an_answer_works_on_copies() -> None:
    def widened(named: pd.DataFrame) -> float:
        named["loudness (dB)"] = 0.0  # a judge that looked at this table would find it right
        return 1.0

    assert "came out as 1.000" in checks.judge("1.3", widened)
