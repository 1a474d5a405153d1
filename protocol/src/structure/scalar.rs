//! Dates, times, durations, points and vectors, written from plain numbers.

use super::VectorElements;
use super::tag;
use crate::packstream::Packer;

impl Packer<'_> {
    /// A date, in days since 1970-01-01.
    pub fn date(&mut self, days: i64) {
        self.struct_header(tag::DATE, 1);
        self.int(days);
    }

    /// A time of day: nanoseconds since local midnight, and seconds east of UTC.
    pub fn time(&mut self, ns: i64, offset_s: i32) {
        self.struct_header(tag::TIME, 2);
        self.int(ns);
        self.int(i64::from(offset_s));
    }

    /// A time of day of no zone, in nanoseconds since midnight.
    pub fn local_time(&mut self, ns: i64) {
        self.struct_header(tag::LOCAL_TIME, 1);
        self.int(ns);
    }

    /// A date and time of no zone: seconds since 1970-01-01T00:00 by the wall clock, and nanoseconds.
    pub fn local_date_time(&mut self, seconds: i64, ns: u32) {
        self.struct_header(tag::LOCAL_DATE_TIME, 2);
        self.int(seconds);
        self.int(i64::from(ns));
    }

    /// A date and time with an offset: seconds of the instant since the epoch, nanoseconds, and seconds
    /// east of UTC. Which of the two wire forms is written follows from the connection.
    pub fn date_time(&mut self, utc_seconds: i64, ns: u32, offset_s: i32) {
        let (tag, seconds) = if self.format().utc_datetime() {
            (tag::DATE_TIME, utc_seconds)
        } else {
            (
                tag::LEGACY_DATE_TIME,
                utc_seconds.saturating_add(i64::from(offset_s)),
            )
        };
        self.struct_header(tag, 3);
        self.int(seconds);
        self.int(i64::from(ns));
        self.int(i64::from(offset_s));
    }

    /// A date and time in a named zone: seconds of the instant since the epoch, nanoseconds, the zone's
    /// offset at that instant in seconds east of UTC, and its name.
    pub fn zoned_date_time(&mut self, utc_seconds: i64, ns: u32, offset_s: i32, zone: &str) {
        let (tag, seconds) = if self.format().utc_datetime() {
            (tag::DATE_TIME_ZONE, utc_seconds)
        } else {
            (
                tag::LEGACY_DATE_TIME_ZONE,
                utc_seconds.saturating_add(i64::from(offset_s)),
            )
        };
        self.struct_header(tag, 3);
        self.int(seconds);
        self.int(i64::from(ns));
        self.string(zone);
    }

    /// A length of time. The four parts have one sign each.
    pub fn duration(&mut self, months: i64, days: i64, seconds: i64, ns: i32) {
        self.struct_header(tag::DURATION, 4);
        self.int(months);
        self.int(days);
        self.int(seconds);
        self.int(i64::from(ns));
    }

    /// A point in the plane: 7203 cartesian, 4326 WGS-84 with x the longitude.
    pub fn point_2d(&mut self, srid: u32, x: f64, y: f64) {
        self.struct_header(tag::POINT_2D, 3);
        self.int(i64::from(srid));
        self.float(x);
        self.float(y);
    }

    /// A point in space: 9157 cartesian, 4979 WGS-84.
    pub fn point_3d(&mut self, srid: u32, x: f64, y: f64, z: f64) {
        self.struct_header(tag::POINT_3D, 4);
        self.int(i64::from(srid));
        self.float(x);
        self.float(y);
        self.float(z);
    }

    /// A vector; to clients before 6.0 a list of numbers.
    pub fn vector(&mut self, elements: VectorElements<'_>) {
        if !self.format().version().has_vectors() {
            self.list_header(elements.len());
            match elements {
                VectorElements::I8(all) => all.iter().for_each(|e| self.int(i64::from(*e))),
                VectorElements::I16(all) => all.iter().for_each(|e| self.int(i64::from(*e))),
                VectorElements::I32(all) => all.iter().for_each(|e| self.int(i64::from(*e))),
                VectorElements::I64(all) => all.iter().for_each(|e| self.int(*e)),
                VectorElements::F32(all) => all.iter().for_each(|e| self.float(f64::from(*e))),
                VectorElements::F64(all) => all.iter().for_each(|e| self.float(*e)),
            }
            return;
        }
        self.struct_header(tag::VECTOR, 2);
        self.bytes(&[elements.marker()]);
        let data_len = elements.len() * elements.width();
        self.bytes_header(data_len);
        match elements {
            VectorElements::I8(all) => all.iter().for_each(|e| self.encoded(&e.to_be_bytes())),
            VectorElements::I16(all) => all.iter().for_each(|e| self.encoded(&e.to_be_bytes())),
            VectorElements::I32(all) => all.iter().for_each(|e| self.encoded(&e.to_be_bytes())),
            VectorElements::I64(all) => all.iter().for_each(|e| self.encoded(&e.to_be_bytes())),
            VectorElements::F32(all) => all.iter().for_each(|e| self.encoded(&e.to_be_bytes())),
            VectorElements::F64(all) => all.iter().for_each(|e| self.encoded(&e.to_be_bytes())),
        }
    }

    /// Stands for a value that the client's version cannot carry: its type as users know it, the first
    /// version that can, and why. Only for versions where [`crate::Version::has_vectors`] holds; older ones
    /// have no such structure.
    pub fn unsupported_type(&mut self, name: &str, since: (u8, u8), message: &str) {
        assert!(
            self.format().version().has_vectors(),
            "Bolt has UnsupportedType from 6.0 on"
        );
        self.struct_header(tag::UNSUPPORTED_TYPE, 4);
        self.string(name);
        self.int(i64::from(since.0));
        self.int(i64::from(since.1));
        self.map(|extra| extra.string("message", message));
    }
}
