use super::*;

#[test]
fn median_of_odd_and_even_numbers() {
    let mut keys = Vec::new();
    assert_eq!(median(&[], &mut keys), None);
    assert_eq!(median(&[3.0, -1.0, -2.0], &mut keys), Some(-1.0));
    assert_eq!(median(&[3.0, -1.0, 2.0, 10.0], &mut keys), Some(2.5));
    assert_eq!(median(&[-3.0, -1.5, -2.0, -10.0, 0.0, -0.0], &mut keys), Some(-1.75));
}
