"""Parts of the page Lab: measured quality, experiments, and the origin of the model."""
