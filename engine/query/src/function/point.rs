//! Points: construction, distance, bounding boxes.
//!
//! Distances are Euclidean in Cartesian systems and great-circle metres (haversine, mean earth radius) in WGS-84.

use quoit_cypher::error::{Detail, Error};
use quoit_cypher::functions::Function;
use quoit_graph::value::{Point, Value, ValueMap};

use super::wrong_argument;

/// Mean radius of the earth in metres, as other engines use it.
const EARTH_RADIUS: f64 = 6_378_140.0;

pub(super) fn apply(function: Function, args: &[Value]) -> Result<Value, Error> {
    if args.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    let point = |at: usize| match &args[at] {
        Value::Point(point) => Ok(**point),
        other => Err(wrong_argument(function, "a point", other)),
    };
    match function {
        Function::Point => match &args[0] {
            Value::Map(map) => construct(map),
            Value::Point(_) => Ok(args[0].clone()),
            other => Err(wrong_argument(function, "a map", other)),
        },
        Function::PointWithinBBox => {
            let (point, low, high) = (point(0)?, point(1)?, point(2)?);
            if point.srid != low.srid || point.srid != high.srid {
                return Ok(Value::Null);
            }
            let geographic = is_geographic(&point);
            // A box whose west lies east of its east crosses the date line.
            let across = if geographic && low.x > high.x {
                point.x >= low.x || point.x <= high.x
            } else {
                (low.x..=high.x).contains(&point.x)
            };
            let third = !point.is_3d() || (low.z..=high.z).contains(&point.z);
            Ok(Value::Bool(
                across && (low.y..=high.y).contains(&point.y) && third,
            ))
        }
        _ => {
            let (a, b) = (point(0)?, point(1)?);
            if a.srid != b.srid {
                return Ok(Value::Null);
            }
            Ok(Value::Float(distance(&a, &b)))
        }
    }
}

fn is_geographic(point: &Point) -> bool {
    matches!(point.srid, 4326 | 4979)
}

fn distance(a: &Point, b: &Point) -> f64 {
    let height = if a.is_3d() { b.z - a.z } else { 0.0 };
    if !is_geographic(a) {
        return ((b.x - a.x).powi(2) + (b.y - a.y).powi(2) + height.powi(2)).sqrt();
    }
    let (latitude_a, latitude_b) = (a.y.to_radians(), b.y.to_radians());
    let half = |angle: f64| (angle / 2.0).sin().powi(2);
    let chord = half(latitude_b - latitude_a)
        + latitude_a.cos() * latitude_b.cos() * half((b.x - a.x).to_radians());
    let radius = EARTH_RADIUS + if a.is_3d() { (a.z + b.z) / 2.0 } else { 0.0 };
    let surface = 2.0 * radius * chord.sqrt().min(1.0).asin();
    (surface.powi(2) + height.powi(2)).sqrt()
}

fn construct(map: &ValueMap) -> Result<Value, Error> {
    let invalid = |message: String| Error::argument(Detail::InvalidArgumentValue, message);
    let coordinate = |names: [&str; 2]| -> Result<Option<f64>, Error> {
        match names.iter().find_map(|name| map.get(name)) {
            None => Ok(None),
            Some(Value::Int(number)) => Ok(Some(*number as f64)),
            Some(Value::Float(number)) => Ok(Some(*number)),
            Some(Value::Null) => Ok(Some(f64::NAN)),
            Some(other) => Err(wrong_argument(
                Function::Point,
                "numbers as coordinates",
                other,
            )),
        }
    };
    let (x, y, z) = (
        coordinate(["x", "longitude"])?,
        coordinate(["y", "latitude"])?,
        coordinate(["z", "height"])?,
    );
    if map.iter().any(|(_, value)| value.is_null()) {
        return Ok(Value::Null);
    }
    let (Some(x), Some(y)) = (x, y) else {
        return Err(invalid(
            "a point needs x and y, or longitude and latitude".into(),
        ));
    };
    let geographic_names = map.get("longitude").is_some() || map.get("latitude").is_some();
    let default = match (geographic_names, z.is_some()) {
        (false, false) => 7203,
        (false, true) => 9157,
        (true, false) => 4326,
        (true, true) => 4979,
    };
    let srid = match (map.get("srid"), map.get("crs")) {
        (Some(Value::Int(srid)), None) => u32::try_from(*srid).unwrap_or(0),
        (None, Some(Value::String(crs))) => match crs.to_ascii_lowercase().as_str() {
            "cartesian" => 7203,
            "cartesian-3d" => 9157,
            "wgs-84" => 4326,
            "wgs-84-3d" => 4979,
            _ => 0,
        },
        (None, None) => default,
        _ => 0,
    };
    let point = Point {
        srid,
        x,
        y,
        z: z.unwrap_or(0.0),
    };
    if !matches!(srid, 7203 | 9157 | 4326 | 4979) || point.is_3d() != z.is_some() {
        return Err(invalid(
            "the coordinate reference system is unknown or does not fit the coordinates".into(),
        ));
    }
    if is_geographic(&point) && !((-180.0..=180.0).contains(&x) && (-90.0..=90.0).contains(&y)) {
        return Err(invalid(format!(
            "there is no longitude {x} and latitude {y}"
        )));
    }
    Ok(Value::from(point))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(entries: &[(&str, f64)]) -> Result<Value, Error> {
        construct(
            &entries
                .iter()
                .map(|(name, number)| ((*name).into(), Value::Float(*number)))
                .collect(),
        )
    }

    #[test]
    fn the_names_of_coordinates_choose_the_system() {
        let Ok(Value::Point(found)) =
            point(&[("longitude", 12.5), ("latitude", 55.0), ("height", 3.0)])
        else {
            panic!("a point")
        };
        assert_eq!((found.srid, found.z), (4979, 3.0));
        assert!(point(&[("longitude", 200.0), ("latitude", 0.0)]).is_err());
        assert!(point(&[("x", 1.0)]).is_err());
    }

    #[test]
    fn distances_follow_the_system() {
        let (a, b) = (
            point(&[("x", 0.0), ("y", 0.0)]).unwrap(),
            point(&[("x", 3.0), ("y", 4.0)]).unwrap(),
        );
        assert_eq!(
            apply(Function::PointDistance, &[a.clone(), b]),
            Ok(Value::Float(5.0))
        );
        let earth = point(&[("longitude", 0.0), ("latitude", 0.0)]).unwrap();
        assert_eq!(
            apply(Function::PointDistance, &[a, earth.clone()]),
            Ok(Value::Null)
        );
        let quarter = point(&[("longitude", 90.0), ("latitude", 0.0)]).unwrap();
        let Ok(Value::Float(metres)) = apply(Function::PointDistance, &[earth, quarter]) else {
            panic!("a float")
        };
        assert!((metres - EARTH_RADIUS * std::f64::consts::FRAC_PI_2).abs() < 1.0);
    }
}
