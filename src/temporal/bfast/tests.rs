use super::*;

#[test]
fn median_of_odd_and_even_numbers() {
    assert_eq!(median(&mut []), None);
    assert_eq!(median(&mut [3.0, -1.0, 2.0]), Some(2.0));
    assert_eq!(median(&mut [3.0, -1.0, 2.0, 10.0]), Some(2.5));
}
