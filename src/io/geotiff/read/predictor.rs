//! From decompressed bytes to native samples: byte order, predictors, and bits widened to bytes.

use super::ifd::Order;
use super::image::{Encoding, Predictor};

/// Turns `rows` rows of `row_bytes` bytes into native samples in place. `samples` values make a pixel. `scratch` is working
/// memory of one row.
pub(super) fn restore(
    data: &mut [u8],
    row_bytes: usize,
    samples: usize,
    encoding: &Encoding,
    predictor: Predictor,
    scratch: &mut Vec<u8>,
) {
    let width = encoding.width();
    match predictor {
        Predictor::Float => {
            for row in data.chunks_exact_mut(row_bytes) {
                float_row(row, samples, width, scratch);
            }
            return;
        }
        Predictor::None | Predictor::Horizontal => to_native(data, width, encoding.order),
    }
    if predictor == Predictor::Horizontal {
        // A sum is a chain of additions, each waiting for the last: four rows at once keep the processor busy.
        let together = if (samples, width) == (1, 2) { data.len() / row_bytes / 4 * 4 * row_bytes } else { 0 };
        let (fours, alone) = data.split_at_mut(together);
        fours.chunks_exact_mut(4 * row_bytes).for_each(sum_four);
        alone.chunks_exact_mut(row_bytes).for_each(|row| sum_row(row, samples, width));
    }
}

/// As [`sum_row`] for four rows of single 16-bit samples.
fn sum_four(rows: &mut [u8]) {
    let cells = rows.as_chunks_mut::<2>().0;
    let half = cells.len() / 2;
    let (ab, cd) = cells.split_at_mut(half);
    let ((a, b), (c, d)) = (ab.split_at_mut(half / 2), cd.split_at_mut(half / 2));
    let mut sums = [0_u16; 4];
    for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
        for (sum, cell) in sums.iter_mut().zip([a, b, c, d]) {
            *sum = sum.wrapping_add(u16::from_ne_bytes(*cell));
            *cell = sum.to_ne_bytes();
        }
    }
}

fn to_native(data: &mut [u8], width: usize, order: Order) {
    let native = if cfg!(target_endian = "big") { Order::Big } else { Order::Little };
    if order == native {
        return;
    }
    match width {
        2 => data.as_chunks_mut::<2>().0.iter_mut().for_each(|b| b.reverse()),
        4 => data.as_chunks_mut::<4>().0.iter_mut().for_each(|b| b.reverse()),
        8 => data.as_chunks_mut::<8>().0.iter_mut().for_each(|b| b.reverse()),
        _ => {}
    }
}

/// Undoes horizontal differencing (TIFF 6.0, section 14), on the integers that share the samples' bits.
fn sum_row(row: &mut [u8], samples: usize, width: usize) {
    macro_rules! sum {
        ($t:ty, $n:literal) => {{
            let (cells, _) = row.as_chunks_mut::<$n>();
            for s in 0..samples {
                let mut sum: $t = 0;
                for cell in cells.iter_mut().skip(s).step_by(samples) {
                    sum = sum.wrapping_add(<$t>::from_ne_bytes(*cell));
                    *cell = sum.to_ne_bytes();
                }
            }
        }};
    }
    match width {
        1 => sum!(u8, 1),
        2 => sum!(u16, 2),
        4 => sum!(u32, 4),
        _ => sum!(u64, 8),
    }
}

/// Undoes the floating-point predictor (Adobe Photoshop TIFF technical note 3): bytes are differenced with a stride of one
/// pixel, then the planes from the most significant byte on are woven together. Byte order of the file plays no part.
fn float_row(row: &mut [u8], samples: usize, width: usize, scratch: &mut Vec<u8>) {
    if (samples, width) == (1, 4) {
        scratch.clear();
        scratch.extend_from_slice(row);
        return single_floats(scratch, row);
    }
    for i in samples..row.len() {
        row[i] = row[i].wrapping_add(row[i - samples]);
    }
    scratch.clear();
    scratch.extend_from_slice(row);
    let n = row.len() / width;
    for (i, cell) in row.chunks_exact_mut(width).enumerate() {
        for (b, byte) in cell.iter_mut().enumerate() {
            let plane = if cfg!(target_endian = "big") { b } else { width - 1 - b };
            *byte = scratch[plane * n + i];
        }
    }
}

/// As [`float_row`] for one f32 a pixel. The sum runs through all four byte planes; since a plane starts from the sum of
/// those before it, the four can be summed side by side once their totals are known.
fn single_floats(planes: &[u8], row: &mut [u8]) {
    let n = planes.len() / 4;
    let plane = |k: usize| &planes[k * n..(k + 1) * n];
    let total = |k: usize| plane(k).iter().fold(0_u8, |sum, b| sum.wrapping_add(*b));
    let mut sums = [0_u8; 4];
    for k in 1..4 {
        sums[k] = sums[k - 1].wrapping_add(total(k - 1));
    }
    let bytes = plane(0).iter().zip(plane(1)).zip(plane(2)).zip(plane(3));
    for (cell, (((a, b), c), d)) in row.as_chunks_mut::<4>().0.iter_mut().zip(bytes) {
        for (sum, byte) in sums.iter_mut().zip([a, b, c, d]) {
            *sum = sum.wrapping_add(*byte);
        }
        *cell = u32::from_be_bytes(sums).to_ne_bytes();
    }
}

/// Widens samples of fewer bits than their type (1 to 7, 9 to 15), packed from the high end in rows that start on whole
/// bytes, to native u8 or u16.
pub(super) fn unpack(packed: &[u8], bits: usize, row_bytes: usize, cells_per_row: usize, out: &mut Vec<u8>) {
    out.clear();
    let mask = (1_u32 << bits) - 1;
    for row in packed.chunks_exact(row_bytes) {
        for i in 0..cells_per_row {
            let (byte, shift) = (i * bits / 8, i * bits % 8);
            let at = |k: usize| u32::from(row.get(byte + k).copied().unwrap_or(0));
            let value = ((at(0) << 16 | at(1) << 8 | at(2)) >> (24 - shift - bits)) & mask;
            if bits < 8 {
                out.push(value as u8);
            } else {
                out.extend((value as u16).to_ne_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Dtype;

    fn encoding(dtype: Dtype, order: Order) -> Encoding {
        Encoding { dtype, bits: dtype.bytes() as u16 * 8, half: false, order }
    }

    #[test]
    fn horizontal_differences_sum_per_band_and_wrap() {
        let mut data: Vec<u8> = [10_u16, 100, 5, 65_535, 65_535, 3].iter().flat_map(|v| v.to_be_bytes()).collect();
        restore(&mut data, 12, 2, &encoding(Dtype::U16, Order::Big), Predictor::Horizontal, &mut Vec::new());
        let got: Vec<u16> = data.chunks(2).map(|b| u16::from_ne_bytes([b[0], b[1]])).collect();
        assert_eq!(got, [10, 100, 15, 99, 14, 102]);
    }

    #[test]
    fn rows_summed_together_equal_rows_summed_alone() {
        let rows: Vec<u8> = (0..6 * 10).map(|i: u32| ((i * i * 37) >> 2) as u8).collect();
        let mut together = rows.clone();
        let u16s = encoding(Dtype::U16, Order::Little);
        restore(&mut together, 10, 1, &u16s, Predictor::Horizontal, &mut Vec::new());
        let alone: Vec<u8> = rows
            .chunks(10)
            .flat_map(|row| {
                let mut row = row.to_vec();
                restore(&mut row, 10, 1, &u16s, Predictor::Horizontal, &mut Vec::new());
                row
            })
            .collect();
        assert_eq!(together, alone);
    }

    #[test]
    fn float_predictor_weaves_byte_planes() {
        let values = [1.5_f32, -2.25, 1e-30];
        let mut planes: Vec<u8> = (0..4).flat_map(|b| values.map(|v| v.to_be_bytes()[b])).collect();
        for i in (1..planes.len()).rev() {
            planes[i] = planes[i].wrapping_sub(planes[i - 1]);
        }
        restore(&mut planes, 12, 1, &encoding(Dtype::F32, Order::Big), Predictor::Float, &mut Vec::new());
        let got: Vec<f32> = planes.chunks(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect();
        assert_eq!(got, values);
    }

    #[test]
    fn bits_come_from_the_high_end() {
        let mut out = Vec::new();
        unpack(&[0b1010_0000, 0b0100_0000], 1, 1, 3, &mut out);
        assert_eq!(out, [1, 0, 1, 0, 1, 0]);
        unpack(&[0x1F], 4, 1, 2, &mut out);
        assert_eq!(out, [1, 15]);
        unpack(&[0x12, 0x3A, 0xBC], 12, 3, 2, &mut out);
        assert_eq!(out, [0x123_u16.to_ne_bytes(), 0xABC_u16.to_ne_bytes()].concat());
    }
}
