//! What the writer writes.

use super::*;
use serde_json::json;
use std::collections::BTreeMap;

fn text<T: Serialize>(value: T, order: Order) -> String {
    String::from_utf8(write(&value, order).unwrap()).unwrap()
}

#[derive(Serialize)]
enum Shape {
    Unit,
    New(u8),
    Pair(u8, u8),
    Named { b: u8, a: u8 },
}

#[test]
fn text_is_what_serde_json_writes() {
    let values = json!({"b": [1, -2, 3.5, "a\"\n\u{1}é", null, true], "a": {"z": {}, "y": []}});
    assert_eq!(
        text(&values, Order::Declared),
        serde_json::to_string(&values).unwrap()
    );
    let shapes = [
        Shape::Unit,
        Shape::New(1),
        Shape::Pair(1, 2),
        Shape::Named { b: 1, a: 2 },
    ];
    assert_eq!(
        text(&shapes, Order::Declared),
        serde_json::to_string(&shapes).unwrap()
    );
    let keyed = BTreeMap::from([(1, 'a'), (2, 'b')]);
    assert_eq!(
        text(&keyed, Order::Declared),
        serde_json::to_string(&keyed).unwrap()
    );
    assert_eq!(
        text((1.0_f64, 0.1_f32, 1e300), Order::Declared),
        "[1.0,0.1,1e+300]"
    );
}

#[test]
fn sorted_text_does_not_depend_on_the_order_of_fields() {
    assert_eq!(
        text(Shape::Named { b: 1, a: 2 }, Order::Sorted),
        r#"{"Named":{"a":2,"b":1}}"#
    );
}

#[test]
fn integers_of_any_width_keep_every_digit() {
    assert_eq!(
        text((u128::MAX, i128::MIN), Order::Sorted),
        format!("[{},{}]", u128::MAX, i128::MIN)
    );
}

#[test]
fn what_json_cannot_hold_is_an_error() {
    assert!(write(&f64::NAN, Order::Declared).is_err());
    assert!(write(&[f32::INFINITY], Order::Declared).is_err());
    assert!(write(&BTreeMap::from([((1, 2), 3)]), Order::Declared).is_err());
}
