"""What adversarial images do to trained networks."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from snnlib.spec.base import NonNegativeInt, PositiveFloat, PositiveInt, Spec, SpecError
from snnlib.spec.networks import TrainSpec
from snnlib.spec.results import MIN_IMAGES, Measures

Epsilons = Annotated[tuple[PositiveFloat, ...], Field(min_length=1)]

# what each method must be given, and what it may be
GIVEN = {
    "pgd": ({"source", "steps"}, {"source", "steps", "step", "start"}),
    "fgsm": ({"source"}, {"source"}),
    "noise": ({"start"}, {"start"}),
}


def step_share(steps: int, step: float | None = None) -> float:
    """The length of a step of PGD as a share of epsilon; by default 2.5 / steps, at most 1 (Madry et al. 2018).

    Raises:
        SpecError: no steps, or steps that together are shorter than epsilon and so never reach the edge of the ball.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise SpecError(f"steps = {steps!r} must be a whole number of at least 1")
    if step is None:
        return min(1.0, 2.5 / steps)
    if not (0 < step < math.inf and steps * step > 1 - 1e-9):
        raise SpecError(f"step = {step!r} of epsilon is too short: {steps} steps need at least {1 / steps:g} each")
    return float(step)


class AttackSpec(Spec):
    """Images attacked on one network and shown to several, for each of the sizes `epsilons`.

    `source` is the network whose gradient the attack follows. A target that is the source is attacked in white box, any
    other one by transfer. `method="noise"` changes images at random, by as much, and has no source: the null of an
    attack. Results come for the first `n_images` test images, unchanged (epsilon 0) and changed.

    `space="pixels"`: epsilon is a share of the range of pixels, to which images keep. `"normalised"`: epsilon is in
    units of the images' standard deviation, and nothing keeps them to the range of pixels, as in the released code.
    `steps` and `step` (a share of epsilon; None becomes 2.5 / steps, at most 1) are PGD's; `start` seeds a random start
    in the ball, or the noise; None starts at the image itself. `measures`: others than CKA that clean and changed
    features are compared by.
    """

    source: TrainSpec | None = None
    targets: Annotated[tuple[TrainSpec, ...], Field(min_length=1)]
    method: Literal["pgd", "fgsm", "noise"] = "pgd"
    epsilons: Epsilons
    steps: PositiveInt | None = None
    step: PositiveFloat | None = None
    space: Literal["pixels", "normalised"] = "pixels"
    start: NonNegativeInt | None = None
    n_images: Annotated[int, Field(ge=MIN_IMAGES, strict=True)]
    batch_size: Annotated[int, Field(ge=MIN_IMAGES, strict=True)] = 256
    measures: Measures | None = None

    @model_validator(mode="before")
    @classmethod
    def _the_usual_step_is_settled(cls, values: Any) -> Any:
        """By its value, not by None: the hash tells with which step a result was made, whatever is usual later."""
        if not isinstance(values, dict) or values.get("method", "pgd") != "pgd" or values.get("step") is not None:
            return values
        try:
            return {**values, "step": step_share(values.get("steps"))}
        except SpecError:  # what is wrong with the steps is said by their field
            return values

    @model_validator(mode="after")
    def _it_can_be_done(self) -> Self:
        required, allowed = GIVEN[self.method]
        given = {name for name in GIVEN["pgd"][1] if getattr(self, name) is not None}
        if required - given:
            raise ValueError(f"method = {self.method!r} needs {', '.join(sorted(required - given))}; give it")
        if given - allowed:
            raise ValueError(f"method = {self.method!r} takes no {', '.join(sorted(given - allowed))}; leave it out")
        if self.method == "pgd":
            step_share(self.steps, self.step)
        if list(self.epsilons) != sorted(set(self.epsilons)):
            raise ValueError(f"epsilons = {list(self.epsilons)} must ascend, each named once")
        self._check_networks()
        return self

    def _check_networks(self) -> None:
        first = self.targets[0]
        if first.data.frames:
            raise ValueError(
                f"{first.data.dataset} holds event streams, cut into {first.data.frames} frames, and attacks change "
                "still images: take a data set of these, such as digits or cifar10"
            )
        for network in (*self.targets, *([self.source] if self.source else [])):
            if network.data != first.data:
                raise ValueError(
                    f"networks are trained on {first.data.dataset} and {network.data.dataset}: attack networks of one"
                    " data set"
                )
        structures = {(target.model.arch, target.model.residual) for target in self.targets}
        if len(structures) > 1 or len(set(self.targets)) != len(self.targets):
            raise ValueError(
                f"targets = {', '.join(target.slug for target in self.targets)}: name each once, and networks of one"
                " structure, whose layers correspond"
            )

    @property
    def work(self) -> float:
        """Amount of computation, for comparing attacks: passes through the source, forward and back, and targets."""
        attack = 2 * (self.steps or 1) * self.source.work_per_image if self.source else 0.0
        return self.n_images * len(self.epsilons) * (attack + sum(target.work_per_image for target in self.targets))

    @property
    def slug(self) -> str:
        on = f"-{self.source.slug}" if self.source else ""
        return f"{self.method}{on}-to-{'-'.join(target.model.slug for target in self.targets)}"
