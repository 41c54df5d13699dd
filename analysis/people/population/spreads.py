"""The spreads of the crossed probit model: how much participants and images differ, with weak priors.

    P(p calls i 'generated') = Phi(eta),   eta = b_class + c_p +- h_p + u_i   (+ for generated, - for real images)

with c_p ~ N(0, sd_criterion^2), h_p ~ N(0, sd_d_prime^2 / 4) and u_i ~ N(0, sd_real^2) or N(0, sd_generated^2). The
random effects and the class means b, N(0, 5^2), are integrated out by Laplace's approximation, as in lme4. The
logarithms of the spreads have normal priors, wider than the range in published surveys. They keep the spreads finite if
nearly every answer is right or participants are few, and hardly matter otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special
from threadpoolctl import threadpool_limits

from analysis.people.population.newton import MEAN_PRECISION, Effects, Prior, System
from analysis.people.trials import Trials
from glimpse.observers import Floats, Integers

PRIOR_MEDIAN = 0.4  # of sd_criterion, sd_d_prime / 2 and the images' spread; published surveys: 0.2 to 0.6
PRIOR_WIDTH = 0.6  # SD of its logarithm: 95 % lie between 0.12 and 1.3
PRIOR_RATIO = 0.5  # SD of the log ratio of the two classes' image spreads: 95 % lie within a factor of 2.7
MOST_CELLS = 60_000  # participants x images of the sample that is fitted


@dataclass(frozen=True)
class Spreads:
    """The posterior mode of the spreads, with the covariance matrix of their logarithms.

    >>> spreads = Spreads(criterion=0.0, half_d_prime=0.6, real=0.3, generated=0.4, covariance=np.eye(4))
    >>> spreads.d_prime, round(spreads.images, 4), round(spreads.scale(generated=True), 4)
    (1.2, 0.3536, 1.2329)
    """

    criterion: float
    half_d_prime: float
    real: float  # images
    generated: float
    covariance: Floats  # (4, 4) of log(criterion, half_d_prime, real, generated)

    @property
    def d_prime(self) -> float:
        """SD of the participants' d'."""
        return 2 * self.half_d_prime

    @property
    def images(self) -> float:
        """Root mean square of the two classes' spreads of images."""
        return float(np.sqrt((self.real**2 + self.generated**2) / 2))

    def scale(self, generated: bool) -> float:
        """SD of the evidence of a new participant on a new image of the class, trial noise (1) included."""
        image = self.generated if generated else self.real
        return float(np.sqrt(1 + self.criterion**2 + self.half_d_prime**2 + image**2))

    def variance_of(self, generated: float, real: float) -> float:
        """Variance of generated * scale(True) + real * scale(False) from the uncertain spreads (delta method).

        >>> Spreads(2.0, 2.0, 4.0, 0.0, np.eye(4)).variance_of(0.0, 5.0)  # each sd^2: 4^2 + 4^2 + 16^2
        288.0
        """
        a, b = generated / self.scale(True), real / self.scale(False)
        people = (a + b) * np.array([self.criterion, self.half_d_prime]) ** 2
        gradient = np.array([*people, b * self.real**2, a * self.generated**2])
        return float(gradient @ self.covariance @ gradient)


def fit_spreads(
    trials: Trials, seed: int = 0, conditions: Integers | None = None, groups: Integers | None = None
) -> Spreads:
    """The spreads, fitted to all participants, or to a seeded sample if there are too many.

    `conditions`: the condition (generator) of each image code, as a fixed effect: generated images then have a mean
    for each condition, and real images, which the conditions share, have one. `groups`: the group of each participant
    code, as a fixed effect: both classes then have a mean for each group.

    >>> said = np.repeat([True, False], 40)  # of two people, one calls every image generated, the other none
    >>> habits = Trials.from_labels(said, np.tile([True, False], 40), np.repeat([0, 1], 40), np.tile(range(40), 2))
    >>> found = fit_spreads(habits)
    >>> found.criterion > 1 > found.half_d_prime
    True
    """
    posterior = _Posterior(_sample(trials, np.random.default_rng(seed)), conditions, groups)
    with threadpool_limits(1, "blas"):  # on a busy machine the threads of many small products wait for each other
        mode, covariance = _mode(posterior, np.zeros(4))
    criterion, half_d_prime, real, generated = (float(sd) for sd in _sds(mode))
    return Spreads(criterion, half_d_prime, real, generated, LOG_SDS @ covariance @ LOG_SDS.T)


# Four numbers are optimised: log sd_criterion, log sd_d_prime / 2, and the mean and the difference of the images' two
# log spreads, the first three less log PRIOR_MEDIAN. Their priors are independent.
LOG_SDS = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -0.5], [0, 0, 1, 0.5]])
PRIOR = np.array([PRIOR_WIDTH, PRIOR_WIDTH, PRIOR_WIDTH, PRIOR_RATIO])


def _sds(x: Floats) -> Floats:
    """The four spreads, kept between 0.0003 and 55."""
    return np.asarray(np.exp(np.clip(LOG_SDS @ x + np.log(PRIOR_MEDIAN), -8, 4)), np.float64)


class _Posterior:
    """The negative log posterior of the four numbers, (4,) -> float.

    The answers of a participant to an image, and the images, are sorted by class, real ones first. The mode of the
    random effects is kept as the start for the next call.
    """

    def __init__(self, trials: Trials, conditions: Integers | None = None, groups: Integers | None = None) -> None:
        participants, person = np.unique(trials.participant, return_inverse=True)
        condition = np.zeros_like(trials.image) if conditions is None else conditions[trials.image]
        column, codes = np.where(trials.is_generated, condition + 1, 0), int(trials.image.max()) + 1
        label, image = np.unique(trials.image + column * codes, return_inverse=True)
        self.people, self.images = int(person.max()) + 1, len(label)
        real = int((label < codes).sum())
        cells, self.weight = np.unique(2 * (image * self.people + person) + trials.said_generated, return_counts=True)
        self.image, self.person = np.divmod(cells // 2, self.people)
        self.sign, self.kind = 2.0 * (cells % 2) - 1, (self.image >= real).astype(int)
        self.by_class = slice(0, real), slice(real, self.images)
        own = np.unique(label[real:] // codes, return_inverse=True)[1]  # the condition of each generated image
        self.grouped = groups is not None
        if groups is None:
            self.member = [np.ones((real, 1)), np.eye(int(own.max(initial=0)) + 1)[own]]
            self.column = np.append(np.zeros(real, np.int64), own + 1)[self.image]
        else:
            group = np.unique(groups[participants], return_inverse=True)[1]
            self.member = [np.eye(int(group.max()) + 1)[group]] * 2
            self.column = group[self.person] + self.kind * self.member[0].shape[1]
        self.mean = np.zeros(sum(one.shape[1] for one in self.member))
        self.observer = np.zeros((2, self.people))  # c_p - h_p for real, c_p + h_p for generated images
        self.sway = np.zeros(self.images)

    def __call__(self, x: Floats) -> float:
        criterion, half, real, generated = _sds(x) ** 2
        precision = np.empty(self.images)
        precision[self.by_class[0]], precision[self.by_class[1]] = 1 / real, 1 / generated
        prior = Prior((1 / criterion + 1 / half) / 4, (1 / criterion - 1 / half) / 4, precision)
        joint, log_determinant = self._maximise(prior)
        normal = -0.5 * self.people * np.log(criterion * half) + 0.5 * float(np.log(precision).sum())
        return 0.5 * float(np.sum((x / PRIOR) ** 2)) - (joint + normal - 0.5 * log_determinant)

    def _maximise(self, prior: Prior) -> tuple[float, float]:
        """The log density of answers and effects at its mode, and log |H|, H its negative second derivatives."""
        before = self._joint(prior)
        for _ in range(50):
            step, log_determinant = self._newton(prior)
            start, scale = (self.mean, self.observer, self.sway), 1.0
            while True:
                self.mean, self.observer, self.sway = (a + scale * b for a, b in zip(start, step, strict=True))
                now = self._joint(prior)
                if now >= before - 1e-9 or scale < 1e-3:
                    break
                scale /= 2
            gain, before = now - before, now
            if gain < 1e-7:
                break
        return before, log_determinant

    def _joint(self, prior: Prior) -> float:
        """The log density of answers and effects; each answer's evidence and log chance are kept for `_newton`."""
        self.evidence = self.sign * (
            self.mean[self.column] + self.observer[self.kind, self.person] + self.sway[self.image]
        )
        self.log_chance = special.log_ndtr(self.evidence)
        likelihood = float(self.weight @ self.log_chance)
        real, generated = self.observer
        people = prior.alpha * (real @ real + generated @ generated) + 2 * prior.gamma * (real @ generated)
        means = MEAN_PRECISION * (self.mean @ self.mean)
        return likelihood - 0.5 * float(people + means + prior.precision @ self.sway**2)

    def _newton(self, prior: Prior) -> tuple[Effects, float]:
        """Newton's step for the means, the observers and the images, and log |H|, where `_joint` was last taken."""
        people, images = self.people, self.images
        t = self.evidence
        mills = np.exp(-0.5 * t**2 - self.log_chance) / np.sqrt(2 * np.pi)
        slope, curvature = self.weight * self.sign * mills, self.weight * mills * (mills + t)
        crossed = _sums(self.person * images + self.image, curvature, (people, images))
        cell = self.kind * people + self.person
        slope_observer = _sums(cell, slope, (2, people))
        slope_image = _sums(self.image, slope, (images,)) - prior.precision * self.sway
        slope_mean = _sums(self.column, slope, (len(self.mean),)) - MEAN_PRECISION * self.mean
        system = System(
            prior,
            [crossed[:, of_class] for of_class in self.by_class],
            self.member,
            self.grouped,
            _sums(cell, curvature, (2, people)),
            [prior.precision[of_class] for of_class in self.by_class],
            np.split(slope_mean, [self.member[0].shape[1]]),
            slope_observer - prior.alpha * self.observer - prior.gamma * self.observer[::-1],
            [slope_image[of_class] for of_class in self.by_class],
        )
        return system.without_observers() if 2 * people >= images else system.without_images()


def _sums(codes: Integers, values: Floats, shape: tuple[int, ...]) -> Floats:
    """The sum of the values of each code, in an array of this shape."""
    return np.asarray(np.bincount(codes, values, int(np.prod(shape))), np.float64).reshape(shape)


def _mode(function: Callable[[Floats], float], x: Floats) -> tuple[Floats, Floats]:
    """The minimum of a smooth function by Newton's method on differences, and the inverse of its curvature."""
    h, d = 0.1, len(x)
    e = h * np.eye(d)
    middle = function(x)
    for _ in range(30):
        ends = np.array([(function(x + e[i]), function(x - e[i])) for i in range(d)])
        slope, curvature = (ends[:, 0] - ends[:, 1]) / (2 * h), np.diag(ends.sum(axis=1) - 2 * middle)
        for i in range(d):
            for j in range(i):
                curvature[i, j] = curvature[j, i] = function(x + e[i] + e[j]) - ends[i, 0] - ends[j, 0] + middle
        sizes, axes = np.linalg.eigh(curvature / h**2)
        inverse = (axes / np.maximum(sizes, 0.5)) @ axes.T
        step = np.clip(-inverse @ slope, -1.5, 1.5)
        while (now := function(x + step)) > middle + 1e-6 and np.abs(step).max() > 1e-3:
            step = step / 2
        x, middle = x + step, now
        if np.abs(step).max() < 0.05:
            break
    return x, inverse


def _sample(trials: Trials, rng: np.random.Generator) -> Trials:
    """The trials, or if these are too many, those of a random sample of participants (if 50 or fewer: of images)."""
    while True:
        people, images = np.unique(trials.participant), np.unique(trials.image)
        if len(people) * len(images) <= MOST_CELLS:
            return trials
        if len(people) > 50:
            trials = trials.where(np.isin(trials.participant, rng.choice(people, len(people) * 3 // 4, replace=False)))
        else:
            trials = trials.where(np.isin(trials.image, rng.choice(images, len(images) * 3 // 4, replace=False)))
