//! Cholesky factor of a symmetric positive definite matrix, stored as packed lower rows.
//!
//! Half the work of an LU factor, and failing it is the test of positive definiteness. Row `i` of the packed form begins
//! at `i (i + 1) / 2`, so that forward substitution reads memory in order.

/// Start of row `i` of a packed lower triangle.
#[inline]
#[must_use]
pub const fn row_start(i: usize) -> usize {
    i * (i + 1) / 2
}

/// Replaces the packed lower triangle of an `n` × `n` matrix by its Cholesky factor `L` (`A = L Lᵀ`), with the
/// **reciprocals** of the diagonal on the diagonal: every later solve multiplies instead of dividing.
///
/// Returns false, with `a` in an undefined state, where the matrix is not positive definite.
#[must_use]
pub fn factor(a: &mut [f64], n: usize) -> bool {
    for i in 0..n {
        let (above, current) = a.split_at_mut(row_start(i));
        let row_i = &mut current[..=i];
        for j in 0..i {
            let row_j = &above[row_start(j)..row_start(j) + j + 1];
            let s = row_i[j] - dot(&row_i[..j], &row_j[..j]);
            row_i[j] = s * row_j[j];
        }
        let d = row_i[i] - dot(&row_i[..i], &row_i[..i]);
        if d <= 0.0 || !d.is_finite() {
            return false;
        }
        row_i[i] = 1.0 / d.sqrt();
    }
    true
}

/// Solves `L v = b` in place.
pub fn forward(l: &[f64], b: &mut [f64]) {
    for i in 0..b.len() {
        let row = &l[row_start(i)..row_start(i) + i + 1];
        b[i] = (b[i] - dot(&row[..i], &b[..i])) * row[i];
    }
}

/// Solves `Lᵀ v = b` in place.
pub fn backward(l: &[f64], b: &mut [f64]) {
    for i in (0..b.len()).rev() {
        let row = &l[row_start(i)..row_start(i) + i + 1];
        let v = b[i] * row[i];
        b[i] = v;
        for (x, &c) in b[..i].iter_mut().zip(&row[..i]) {
            *x -= v * c;
        }
    }
}

/// Diagonal of the inverse matrix: the squared column norms of `L⁻¹`, found one column at a time.
#[must_use]
pub fn inverse_diagonal(l: &[f64], n: usize) -> Vec<f64> {
    let mut column = vec![0.0; n];
    (0..n)
        .map(|j| {
            column[j] = l[row_start(j) + j];
            let mut sum = column[j] * column[j];
            for i in j + 1..n {
                let row = &l[row_start(i)..row_start(i) + i + 1];
                let v = -dot(&row[j..i], &column[j..i]) * row[i];
                column[i] = v;
                sum += v * v;
            }
            sum
        })
        .collect()
}

/// Dot product over four running sums: a fixed order that the compiler can keep in vector registers.
#[inline]
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let mut s = [0.0; 4];
    let (head_a, tail_a) = a.as_chunks::<4>();
    let (head_b, tail_b) = b.as_chunks::<4>();
    for (x, y) in head_a.iter().zip(head_b) {
        for k in 0..4 {
            s[k] += x[k] * y[k];
        }
    }
    let tail: f64 = tail_a.iter().zip(tail_b).map(|(x, y)| x * y).sum();
    (s[0] + s[1]) + (s[2] + s[3]) + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    // A = [[4, 2, 2], [2, 5, 3], [2, 3, 6]] has L = [[2, 0, 0], [1, 2, 0], [1, 1, 2]].
    fn packed() -> Vec<f64> {
        vec![4.0, 2.0, 5.0, 2.0, 3.0, 6.0]
    }

    #[test]
    fn factor_of_a_known_matrix() {
        let mut a = packed();
        assert!(factor(&mut a, 3));
        assert_eq!(a, [0.5, 1.0, 0.5, 1.0, 1.0, 0.5]);
    }

    #[test]
    fn both_substitutions_solve_the_system() {
        let mut l = packed();
        assert!(factor(&mut l, 3));
        // A (1, 2, 3)ᵀ = (14, 21, 26)ᵀ.
        let mut b = [14.0, 21.0, 26.0];
        forward(&l, &mut b);
        backward(&l, &mut b);
        for (got, want) in b.iter().zip([1.0, 2.0, 3.0]) {
            assert!((got - want).abs() < 1e-14, "{b:?}");
        }
    }

    #[test]
    fn diagonal_of_the_inverse() {
        let mut l = packed();
        assert!(factor(&mut l, 3));
        // det A = 64; cofactors of the diagonal: 21, 20, 16.
        for (got, want) in inverse_diagonal(&l, 3).iter().zip([21.0, 20.0, 16.0]) {
            assert!((got - want / 64.0).abs() < 1e-15);
        }
    }

    #[test]
    fn indefinite_matrix_is_refused() {
        assert!(!factor(&mut [1.0, 2.0, 1.0], 2));
    }
}
