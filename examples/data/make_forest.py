"""Trains a decision tree and a random forest and writes them, and some rows they have never seen, as text.

    python3.11 -m venv venv
    venv/bin/pip install numpy==1.26.4 scikit-learn==1.5.2
    venv/bin/python make_forest.py
"""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

DEPTH = 4
TREES = 10
STEPS = 1000  # features are whole numbers in 0..=STEPS, leaves are probabilities of "benign" in 1/STEPS


def complete(tree):
    """Nodes and leaves of a tree that is filled up to DEPTH, both in level order."""
    nodes, leaves = [], []
    level = [0]
    for depth in range(DEPTH + 1):
        below = []
        for at in level:
            left, right = tree.children_left[at], tree.children_right[at]
            if depth == DEPTH:
                counts = tree.value[at][0]
                leaves.append(round(STEPS * counts[1] / counts.sum()))
            elif left < 0:  # a leaf above the last level: both ways lead to it
                nodes.append((0, 0))
                below += [at, at]
            else:
                # Features are whole, so x <= threshold is x <= floor(threshold).
                nodes.append((tree.feature[at], int(np.floor(tree.threshold[at]))))
                below += [left, right]
        level = below
    return nodes, leaves


def write_model(name, what, trees):
    with open(name, "w") as file:
        print(f"# {what}, by make_forest.py: trees, depth, features; then for each tree its nodes in level order", file=file)
        print("# as feature:threshold (right when the feature is greater), and its leaves in 1/1000", file=file)
        print(len(trees), DEPTH, 30, file=file)
        for tree in trees:
            nodes, leaves = complete(tree.tree_)
            print(*[f"{f}:{t}" for f, t in nodes], file=file)
            print(*leaves, file=file)


data = load_breast_cancer()
train, test, train_labels, test_labels = train_test_split(
    data.data, data.target, test_size=0.3, random_state=7, stratify=data.target
)
low, high = train.min(axis=0), train.max(axis=0)
whole = lambda rows: np.clip(np.round(STEPS * (rows - low) / (high - low)), 0, STEPS).astype(int)
train, test = whole(train), whole(test)

tree = DecisionTreeClassifier(max_depth=DEPTH, random_state=7).fit(train, train_labels)
forest = RandomForestClassifier(n_estimators=TREES, max_depth=DEPTH, random_state=7).fit(train, train_labels)
write_model("tree.txt", "a decision tree", [tree])
write_model("forest.txt", "a random forest", forest.estimators_)

ROWS = 64
with open("forest_samples.txt", "w") as file:
    print("# held-out rows, by make_forest.py: truth, the tree's answer, the forest's answer, 30 features", file=file)
    answers = zip(test_labels, tree.predict(test), forest.predict(test), test)
    for truth, by_tree, by_forest, row in list(answers)[:ROWS]:
        print(truth, by_tree, by_forest, *row, file=file)
for name, model in [("tree", tree), ("forest", forest)]:
    print(f"{name}: {(model.predict(test) == test_labels).sum()} of {len(test)} right")
