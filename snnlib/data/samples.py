"""Images of a data set, for a picture."""

from __future__ import annotations

import numpy as np
import xarray as xr

from snnlib.data.images import ImageData


def samples(data: ImageData, classes: int) -> xr.DataArray:
    """The first test image of each of `classes` classes, or of all if there are fewer.

    Returns:
        (class, channel, row, column), 0 to 255, with the names of the classes. They are spread over those that have a
        test image: in a folder of images, some may not.
    """
    there, first = np.unique(data.test.labels, return_index=True)
    chosen = np.linspace(0, len(there) - 1, min(classes, len(there))).round().astype(int)
    return xr.DataArray(
        data.test.images[first[chosen]],
        dims=("class", "channel", "row", "column"),
        coords={"class": [data.classes[label] for label in there[chosen]]},
    )
