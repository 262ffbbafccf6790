"""Quick methods with vectors, the first of them in the towers' place, and two without."""

from functools import partial

from twotower.baselines import fit_idf_cosine, fit_popularity, fit_svd
from twotower.evaluation import REFERENCE as TOWERS

WITHOUT = {"idf cosine": fit_idf_cosine, "popularity": fit_popularity}
FITS = {
    TOWERS: partial(fit_svd, k=24),
    **{f"SVD-{k}": partial(fit_svd, k=k) for k in (12, 32, 48, 64)},
    **WITHOUT,
}
