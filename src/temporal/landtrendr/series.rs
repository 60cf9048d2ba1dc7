//! The series of one pixel as the fits need it: times and values near zero, and running sums that give the least-squares line of any
//! stretch without a look at its points.

/// Numbers in flight: a fixed count, so that sums are the same on every processor.
pub(super) const LANES: usize = 4;

/// The larger of two numbers, as one instruction.
pub(super) fn larger(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

/// Smallest and largest of the values.
pub(super) fn range(values: &[f64]) -> (f64, f64) {
    let (mut low, mut high) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
    let (lanes, rest) = values.as_chunks::<LANES>();
    for values in lanes {
        for lane in 0..LANES {
            low[lane] = -larger(-low[lane], -values[lane]);
            high[lane] = larger(high[lane], values[lane]);
        }
    }
    for (value, (low, high)) in rest.iter().zip(low.iter_mut().zip(&mut high)) {
        (*low, *high) = (-larger(-*low, -value), larger(*high, *value));
    }
    (low.into_iter().fold(f64::INFINITY, f64::min), high.into_iter().fold(f64::NEG_INFINITY, f64::max))
}

/// Sums over a stretch of points.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) n: f64,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) xx: f64,
    pub(super) xy: f64,
    pub(super) yy: f64,
}

impl Sums {
    /// Least-squares line through the points, as its value at zero and its slope. The points must not share one time.
    pub(super) fn line(&self) -> (f64, f64) {
        let (x, y) = (self.x / self.n, self.y / self.n);
        let slope = (self.xy - self.x * y) / (self.xx - self.x * x);
        (y - slope * x, slope)
    }

    /// Sums of squares and products of `x − at` and `y − value`: (squares of x, products, squares of y).
    pub(super) fn about(&self, at: f64, value: f64) -> (f64, f64, f64) {
        let xx = self.xx - at * (2.0 * self.x - self.n * at);
        let xy = self.xy - at * self.y - value * (self.x - self.n * at);
        let yy = self.yy - value * (2.0 * self.y - self.n * value);
        (xx, xy, yy)
    }

    /// Sum of squared residuals from the line through (`at`, `value`) with `slope`.
    pub(super) fn residuals(&self, at: f64, value: f64, slope: f64) -> f64 {
        let (xx, xy, yy) = self.about(at, value);
        (yy - slope * (2.0 * xy - slope * xx)).max(0.0)
    }
}

/// Points and their running sums.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    /// Years from the middle of the series: small whole or half numbers, so that their sums are exact.
    pub(super) x: Vec<f64>,
    /// Values, turned so that disturbance is up, from the middle of their range: sums of squares keep their digits.
    pub(super) y: Vec<f64>,
    /// The year where `x` is zero.
    pub(super) middle: f64,
    /// Sums of the points before each point, and of all.
    running: Vec<Sums>,
}

impl Series {
    /// Turns and centres the values that are in `y`, takes the times from `years` and sums both. Answers the level taken off:
    /// a value was `level + sign · y`.
    pub(super) fn centre(&mut self, years: &[i32], sign: f64) -> f64 {
        let (low, high) = range(&self.y);
        let level = 0.5 * low + 0.5 * high;
        self.y.iter_mut().for_each(|v| *v = sign * (*v - level));
        let middle = match years {
            [first, .., last] => 0.5 * (f64::from(*first) + f64::from(*last)),
            [only] => f64::from(*only),
            [] => 0.0,
        };
        self.middle = middle;
        self.x.clear();
        self.x.extend(years.iter().map(|&year| f64::from(year) - middle));
        self.sum_from(0);
        level
    }

    /// Takes the running sums of `x` and `y` anew from point `from` on.
    pub(super) fn sum_from(&mut self, from: usize) {
        self.running.resize(self.x.len() + 1, Sums::default());
        let mut sums = self.running[from];
        for ((&x, &y), after) in self.x[from..].iter().zip(&self.y[from..]).zip(&mut self.running[from + 1..]) {
            sums.n += 1.0;
            sums.x += x;
            sums.y += y;
            sums.xx += x * x;
            sums.xy += x * y;
            sums.yy += y * y;
            *after = sums;
        }
    }

    /// Replaces a value.
    pub(super) fn set(&mut self, at: usize, value: f64) {
        self.y[at] = value;
        self.sum_from(at);
    }

    /// Sums over the points `from..to`.
    pub(super) fn sums(&self, from: usize, to: usize) -> Sums {
        let (a, b) = (&self.running[from], &self.running[to]);
        Sums { n: b.n - a.n, x: b.x - a.x, y: b.y - a.y, xx: b.xx - a.xx, xy: b.xy - a.xy, yy: b.yy - a.yy }
    }

    /// Number of points.
    pub(super) fn len(&self) -> usize {
        self.x.len()
    }
}
