"""Takes the model that tune.py has kept, and tells of points which spiral they are on."""

import json

import numpy as np
from tune import KEPT, features, two_spirals

model = json.loads(KEPT.read_text())
x, y = two_spirals(seed=3)
told = (features(x, model["settings"]) @ np.array(model["weights"])) > 0
print(f"the kept model is right for {(told == y).mean():.0%} of {len(y)} new points")
