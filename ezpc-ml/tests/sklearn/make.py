"""Makes the models, features and labels in this folder: scikit-learn's classifiers on breast cancer, as skl2onnx
exports them, and the labels that scikit-learn gives. Needed only to regenerate the files.

    python3.11 -m venv venv
    venv/bin/pip install numpy==1.26.4 scikit-learn==1.5.2 skl2onnx==1.17.0 onnx==1.16.2
    venv/bin/python make.py

The data are W. Wolberg et al., Breast Cancer Wisconsin (Diagnostic), UCI Machine Learning Repository, 1993,
doi:10.24432/C5DW2B, CC BY 4.0, in scikit-learn's copy; unchanged but for single precision.
"""

from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

MODELS = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "tree": DecisionTreeClassifier(max_depth=5, random_state=0),
    "forest": RandomForestClassifier(n_estimators=10, max_depth=5, random_state=0),
    "mlp": make_pipeline(StandardScaler(), MLPClassifier((16,), random_state=0, max_iter=500)),
}

folder = Path(__file__).parent
x, y = load_breast_cancer(return_X_y=True)
x = x.astype(np.float32)
np.save(folder / "features.npy", x)
for name, model in MODELS.items():
    model.fit(x, y)
    exported = to_onnx(model, x[:1], options={"zipmap": False})
    (folder / f"{name}.onnx").write_bytes(exported.SerializeToString())
    np.save(folder / f"{name}_labels.npy", model.predict(x).astype(np.int64))
