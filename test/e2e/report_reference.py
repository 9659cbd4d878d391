"""What reports must answer, in plain Python: exact sums over fractions, mid-ranks, and counting for Kendall. It shares no
code and no method with the product."""

import itertools
import math
from fractions import Fraction


def number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def pairs_of(rows, x, y):
    return [(row[x], row[y]) for row in rows if number(row[x]) and number(row[y])]


def root_ratio(top, bottom_squared):
    """top / sqrt(bottom_squared) of fractions, to more digits than a double has."""
    if bottom_squared == 0:
        return None
    square = top * top / bottom_squared
    scale = 10 ** 60
    root = Fraction(math.isqrt(square.numerator * scale // square.denominator), 10 ** 30)
    return float(root if top >= 0 else -root)


def exact(value):
    """The nearest double of a number with a fraction, as reports compute with it; whole numbers as they are."""
    return Fraction(value) if isinstance(value, int) else Fraction(float(value))


def pearson(pairs):
    n = len(pairs)
    if n < 2:
        return None
    xs, ys = [exact(x) for x, _ in pairs], [exact(y) for _, y in pairs]
    mx, my = sum(xs) / n, sum(ys) / n
    sxx, syy = sum((x - mx) ** 2 for x in xs), sum((y - my) ** 2 for y in ys)
    return root_ratio(sum((x - mx) * (y - my) for x, y in zip(xs, ys)), sxx * syy)


def ranks(values):
    return [Fraction(2 * sum(other < value for other in values) + sum(other == value for other in values) + 1, 2)
            for value in values]


def spearman(pairs):
    if len(pairs) < 2:
        return None
    ranked = list(zip(ranks([exact(x) for x, _ in pairs]), ranks([exact(y) for _, y in pairs])))
    n = len(ranked)
    mean = Fraction(n + 1, 2)
    sxx, syy = sum((x - mean) ** 2 for x, _ in ranked), sum((y - mean) ** 2 for _, y in ranked)
    return root_ratio(sum((x - mean) * (y - mean) for x, y in ranked), sxx * syy)


def kendall(pairs):
    score = untied_x = untied_y = 0
    for (a, b), (c, d) in itertools.combinations([(exact(x), exact(y)) for x, y in pairs], 2):
        x, y = (a > c) - (a < c), (b > d) - (b < d)
        score, untied_x, untied_y = score + x * y, untied_x + x * x, untied_y + y * y
    return root_ratio(Fraction(score), Fraction(untied_x * untied_y))


def residuals(column, controls):
    """What is left of a column after the best linear prediction. A control that says nothing new takes nothing out."""
    def centered(values):
        return [value - sum(values) / len(values) for value in values]

    def dot(a, b):
        return sum(p * q for p, q in zip(a, b))

    def without(values, basis):
        for direction in basis:
            part = dot(values, direction) / dot(direction, direction)
            values = [value - part * other for value, other in zip(values, direction)]
        return values
    basis = []
    for control in controls:
        direction = without(centered(control), basis)
        if any(direction):
            basis.append(direction)
    return without(centered(column), basis)


def partial(rows, x, y, controls):
    rows = [row for row in rows if all(number(row[name]) for name in (x, y, *controls))]
    if len(rows) < len(controls) + 3:
        return len(rows), None
    columns = [[exact(row[name]) for row in rows] for name in controls]
    a = residuals([exact(row[x]) for row in rows], columns)
    b = residuals([exact(row[y]) for row in rows], columns)
    return len(rows), root_ratio(sum(p * q for p, q in zip(a, b)), sum(p * p for p in a) * sum(q * q for q in b))


def line(pairs):
    n = len(pairs)
    xs, ys = [exact(x) for x, _ in pairs], [exact(y) for _, y in pairs]
    mx, my = sum(xs, Fraction(0)) / max(n, 1), sum(ys, Fraction(0)) / max(n, 1)
    sxx = sum((x - mx) ** 2 for x in xs)
    if n < 2 or sxx == 0:
        return None
    slope = sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / sxx
    return float(slope), float(my - slope * mx)


def student_p(t, degrees):
    """Two-sided p-value of Student's t, by the continued fraction of the incomplete beta function."""
    if math.isinf(t):
        return 0.0
    a, b, x = degrees / 2, 0.5, degrees / (degrees + t * t)
    swap = x > (a + 1) / (a + b + 2)
    if swap:
        a, b, x = b, a, 1 - x
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a \
        if 0 < x < 1 else 0.0
    value, c, d = 1.0, 1.0, 0.0
    for i in range(2000):
        m = i // 2
        term = 1.0 if i == 0 else (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)) if i % 2 == 0 else
                                   -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)))
        d = 1 / (1 + term * d)
        c = 1 + term / c
        value *= c * d
        if abs(1 - c * d) < 1e-16:
            break
    result = front * (value - 1)
    return 1 - result if swap else result


def pearson_p(r, n, controls=0):
    degrees = n - 2 - controls
    if degrees < 1:
        return None
    bottom = (1 - r) * (1 + r)
    return student_p(math.inf if bottom == 0 else r * math.sqrt(degrees / bottom), degrees)


def fisher(r, variance, z=1.959963984540054):
    if abs(r) == 1:
        return r, r
    return math.tanh(math.atanh(r) - z * math.sqrt(variance)), math.tanh(math.atanh(r) + z * math.sqrt(variance))


def join(left, right, keys, kind):
    """Rows of dicts by nested loops; a missing key matches nothing."""
    def matches(a, b):
        return all(a.get(key) is not None and type_of(a[key]) == type_of(b.get(key)) and a[key] == b[key]
                   for key in keys)

    def merged(a, b):
        row = {key: a[key] if a else b[key] for key in keys}
        row.update({name: a[name] if a else None for name in left[1]})
        row.update({name: b[name] if b else None for name in right[1]})
        return row
    rows, used = [], set()
    for a in left[0]:
        found = [j for j, b in enumerate(right[0]) if matches(a, b)]
        used.update(found)
        rows += [merged(a, right[0][j]) for j in found]
        if not found and kind != "inner":
            rows.append(merged(a, None))
    if kind == "outer":
        rows += [merged(None, b) for j, b in enumerate(right[0]) if j not in used]
    return rows


def type_of(value):
    return "number" if number(value) else type(value).__name__
