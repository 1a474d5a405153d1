//! The node record: what a node must remember about its place in a cluster, in one small file.
//!
//! Owns the file `node` of the data directory: identity, key, role, the MAIN obeyed, the fence and the
//! registrations. `core` reads it at start and stores it whole at each change, before the change is
//! answered or acted upon. Always:
//!
//! 1. A store goes to the slot that does not hold the newest record, then is synced. So whatever a crash leaves
//!    of it, the other slot is intact, and opening finds the record before the change or the one after it.
//! 2. A record that opens is whole: its checksum covers generation and payload, and every field was parsed.
//! 3. The file is created aside and renamed, so a file under this name has at least one good slot; if it has none
//!    it was damaged later, and opening refuses rather than invent a new identity.
//!
//! The file is two slots of [`SLOT_LEN`] bytes. A slot, integers little-endian:
//!
//! | offset | bytes | what |
//! | --- | --- | --- |
//! | 0 | 8 | magic `QUOITNOD` |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | payload length |
//! | 16 | 8 | generation, 1 2 3 …; the larger good one is the record |
//! | 24 | 4 | CRC32C of bytes 0..24 and the payload |
//! | 28 | 4 | zero |
//! | 32 | … | payload, see [`NodeRecord`] |

use std::fs::{File, OpenOptions};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::codec::{Malformed, Reader, Writer};
use crate::endpoint::Endpoint;
use quoit_log::Term;

use crate::identity::{ClusterId, Fingerprint, NodeId};
use crate::statement::{Mode, NAME_LEN_MAX, REPLICAS_MAX};

/// The file's name in the data directory.
pub const FILE_NAME: &str = "node";

/// Bytes of a slot: more than the largest record (64 registrations of 600 bytes and a key) can need.
pub const SLOT_LEN: usize = 64 * 1024;

const MAGIC: [u8; 8] = *b"QUOITNOD";
const VERSION: u32 = 1;
const HEADER_LEN: usize = size_of::<SlotHeader>();
const KEY_LEN_MAX: usize = 8 * 1024;

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct SlotHeader {
    magic: [u8; 8],
    version: U32,
    payload_len: U32,
    generation: U64,
    checksum: U32,
    zero: U32,
}

const _: () = assert!(HEADER_LEN == 32);

/// What a node remembers.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeRecord {
    /// This node, for good.
    pub node: NodeId,
    /// This node's self-signed certificate and private key.
    pub key: NodeKey,
    /// The cluster, once the node is in one.
    pub cluster: Option<ClusterId>,
    /// The newest term this node has been MAIN of, obeyed or heard of.
    pub term: Option<Term>,
    /// A MAIN that has learnt of a term newer than its own takes no write.
    pub fenced: bool,
    /// MAIN with its replicas, or REPLICA with its listener and its MAIN.
    pub role: RoleRecord,
}

impl NodeRecord {
    /// The name under which an instance is registered here, known by its identity or by its key.
    pub fn registered_as(&self, node: Option<NodeId>, fingerprint: Fingerprint) -> Option<&str> {
        let RoleRecord::Main(replicas) = &self.role else {
            return None;
        };
        replicas
            .iter()
            .find(|replica| replica.fingerprint == fingerprint || Some(replica.node) == node)
            .map(|replica| &*replica.name)
    }
}

/// A certificate (DER) and its private key (PKCS #8 DER).
#[derive(Clone, PartialEq, Eq)]
pub struct NodeKey {
    /// X.509, DER.
    pub certificate: Vec<u8>,
    /// PKCS #8, DER. Never shown.
    pub private_key: Vec<u8>,
}

impl std::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeKey")
            .field("certificate_len", &self.certificate.len())
            .finish_non_exhaustive()
    }
}

/// The role with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub enum RoleRecord {
    /// The replicas registered here, in the order of their registration.
    Main(Vec<RegisteredReplica>),
    /// Where this replica listens, and the MAIN it obeys once one has registered it.
    Replica {
        /// The listening address and port.
        listen: SocketAddr,
        /// The MAIN obeyed.
        main: Option<ObeyedMain>,
    },
}

/// A registered replica.
#[derive(Clone, Debug, PartialEq)]
pub struct RegisteredReplica {
    /// Its name.
    pub name: String,
    /// Its configured mode.
    pub mode: Mode,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Who it is.
    pub node: NodeId,
    /// Its certificate.
    pub fingerprint: Fingerprint,
}

/// The MAIN a replica obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObeyedMain {
    /// Who it is.
    pub node: NodeId,
    /// Its certificate.
    pub fingerprint: Fingerprint,
    /// The term in which it registered this replica.
    pub term: Term,
}

/// The record with its file.
#[derive(Debug)]
pub struct NodeRecordFile {
    file: File,
    path: PathBuf,
    generation: u64,
}

/// Why the record could not be opened or created.
#[derive(Debug, thiserror::Error)]
pub enum NodeRecordError {
    /// The operating system's answer.
    #[error("the node record {path} cannot be read or written: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// Neither slot is good.
    #[error(
        "the node record {path} is damaged (first copy: {first}; second copy: {second}); restore it from a backup of \
         this node, or move it away to let the node start with a new identity and register it again"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with the first slot.
        first: SlotError,
        /// What is wrong with the second slot.
        second: SlotError,
    },
    /// A good slot of a newer version.
    #[error(
        "the node record {path} has version {version}, this server reads {VERSION}; use a newer server"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

/// Why a slot holds no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// Never written.
    #[error("empty")]
    Empty,
    /// Shorter than it says, wrong magic or wrong checksum: torn or damaged.
    #[error("torn or damaged")]
    Torn,
    /// A version this code does not know.
    #[error("version {0}")]
    Version(u32),
    /// The checksum is right and the payload is not: written by something else.
    #[error("malformed payload: {0}")]
    Payload(Malformed),
}

impl NodeRecordFile {
    /// Opens the record in `directory`, or creates it from `first` if there is none.
    pub fn open_or_create(
        directory: &Path,
        first: impl FnOnce() -> NodeRecord,
    ) -> Result<(NodeRecordFile, NodeRecord), NodeRecordError> {
        let path = directory.join(FILE_NAME);
        let io = |source| NodeRecordError::Io {
            path: path.clone(),
            source,
        };
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Self::create(directory, &path, first()).map_err(io);
            }
            Err(e) => return Err(io(e)),
        };
        let mut bytes = vec![0; 2 * SLOT_LEN];
        let mut filled = 0;
        while filled < bytes.len() {
            match file
                .read_at(&mut bytes[filled..], filled as u64)
                .map_err(io)?
            {
                0 => break,
                n => filled += n,
            }
        }
        let (generation, record) =
            newest(&bytes).map_err(|[first, second]| match (&first, &second) {
                (&SlotError::Version(version), _) | (_, &SlotError::Version(version)) => {
                    NodeRecordError::Newer {
                        path: path.clone(),
                        version,
                    }
                }
                _ => NodeRecordError::Damaged {
                    path: path.clone(),
                    first,
                    second,
                },
            })?;
        Ok((
            NodeRecordFile {
                file,
                path,
                generation,
            },
            record,
        ))
    }

    /// Reads the record in `directory` and changes nothing; `None` if there is none.
    ///
    /// # Errors
    /// As [`NodeRecordFile::open_or_create`].
    pub fn read(directory: &Path) -> Result<Option<NodeRecord>, NodeRecordError> {
        if !directory.join(FILE_NAME).exists() {
            return Ok(None);
        }
        let opened = Self::open_or_create(directory, || unreachable!("the file is there"));
        opened.map(|(_, record)| Some(record))
    }

    fn create(
        directory: &Path,
        path: &Path,
        record: NodeRecord,
    ) -> io::Result<(NodeRecordFile, NodeRecord)> {
        let aside = directory.join(format!("{FILE_NAME}.new"));
        // The private key is in it: readable by its owner only.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)?;
        file.set_len(2 * SLOT_LEN as u64)?;
        let (offset, bytes) = encode_slot(1, &record);
        file.write_all_at(&bytes, offset)?;
        file.sync_all()?;
        std::fs::rename(&aside, path)?;
        File::open(directory)?.sync_all()?;
        Ok((
            NodeRecordFile {
                file,
                path: path.to_owned(),
                generation: 1,
            },
            record,
        ))
    }

    /// Stores `record` as the newest. When this returns `Ok` it is what the next start finds; on an error the next
    /// start finds it or the one before.
    pub fn store(&mut self, record: &NodeRecord) -> Result<(), NodeRecordError> {
        let (offset, bytes) = encode_slot(self.generation + 1, record);
        self.file
            .write_all_at(&bytes, offset)
            .and_then(|()| self.file.sync_data())
            .map_err(|source| NodeRecordError::Io {
                path: self.path.clone(),
                source,
            })?;
        self.generation += 1;
        Ok(())
    }
}

/// The bytes of a slot and their offset in the file: generations take turns.
fn encode_slot(generation: u64, record: &NodeRecord) -> (u64, Vec<u8>) {
    let mut writer = Writer::new(vec![0; HEADER_LEN]);
    encode_record(&mut writer, record);
    let mut bytes = writer.into_bytes();
    assert!(
        bytes.len() <= SLOT_LEN,
        "the bounds on names and keys keep a record below a slot"
    );
    let mut header = SlotHeader {
        magic: MAGIC,
        version: U32::new(VERSION),
        payload_len: U32::new((bytes.len() - HEADER_LEN) as u32),
        generation: U64::new(generation),
        checksum: U32::ZERO,
        zero: U32::ZERO,
    };
    header.checksum = U32::new(checksum(&header, &bytes[HEADER_LEN..]));
    bytes[..HEADER_LEN].copy_from_slice(header.as_bytes());
    ((generation % 2) * SLOT_LEN as u64, bytes)
}

fn checksum(header: &SlotHeader, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header.as_bytes()[..24]), payload)
}

/// The newest good record of the file's bytes.
fn newest(bytes: &[u8]) -> Result<(u64, NodeRecord), [SlotError; 2]> {
    let slot = |n: usize| decode_slot(bytes.get(n * SLOT_LEN..(n + 1) * SLOT_LEN).unwrap_or(&[]));
    match (slot(0), slot(1)) {
        (Ok(a), Ok(b)) => Ok(if a.0 > b.0 { a } else { b }),
        // A newer server has written here since: the record that can be read is out of date.
        (Ok(_), Err(newer @ SlotError::Version(_)))
        | (Err(newer @ SlotError::Version(_)), Ok(_)) => Err([newer.clone(), newer]),
        (Ok(good), Err(_)) | (Err(_), Ok(good)) => Ok(good),
        (Err(first), Err(second)) => Err([first, second]),
    }
}

fn decode_slot(slot: &[u8]) -> Result<(u64, NodeRecord), SlotError> {
    let (header, rest) = SlotHeader::ref_from_prefix(slot).map_err(|_| SlotError::Torn)?;
    if header.as_bytes().iter().all(|b| *b == 0) {
        return Err(SlotError::Empty);
    }
    let payload = rest
        .get(..header.payload_len.get() as usize)
        .ok_or(SlotError::Torn)?;
    if header.magic != MAGIC || checksum(header, payload) != header.checksum.get() {
        return Err(SlotError::Torn);
    }
    if header.version.get() != VERSION {
        return Err(SlotError::Version(header.version.get()));
    }
    let mut reader = Reader::new(payload);
    let record = decode_record(&mut reader).map_err(SlotError::Payload)?;
    reader.finish().map_err(SlotError::Payload)?;
    Ok((header.generation.get(), record))
}

fn encode_record(w: &mut Writer, record: &NodeRecord) {
    w.u128(record.node.0);
    w.bytes(&record.key.certificate);
    w.bytes(&record.key.private_key);
    w.option(record.cluster, |w, c| w.u128(c.0));
    w.option(record.term, |w, t| w.term(t));
    w.bool(record.fenced);
    match &record.role {
        RoleRecord::Main(replicas) => {
            w.u8(0);
            w.u16(replicas.len() as u16);
            for replica in replicas {
                w.bytes(replica.name.as_bytes());
                match replica.mode {
                    Mode::Async => w.u8(0),
                    Mode::Sync => w.u8(1),
                    Mode::SyncTimeout(timeout) => {
                        w.u8(2);
                        w.u64(timeout.as_nanos() as u64);
                    }
                }
                w.bytes(replica.endpoint.to_string().as_bytes());
                w.u128(replica.node.0);
                w.fixed(&replica.fingerprint.0);
            }
        }
        RoleRecord::Replica { listen, main } => {
            w.u8(1);
            match listen.ip() {
                IpAddr::V4(ip) => {
                    w.u8(4);
                    w.fixed(&ip.octets());
                }
                IpAddr::V6(ip) => {
                    w.u8(6);
                    w.fixed(&ip.octets());
                }
            }
            w.u16(listen.port());
            w.option(*main, |w, main| {
                w.u128(main.node.0);
                w.fixed(&main.fingerprint.0);
                w.term(main.term);
            });
        }
    }
}

fn decode_record(r: &mut Reader<'_>) -> Result<NodeRecord, Malformed> {
    let node = NodeId(r.u128()?);
    let certificate = r.bytes(KEY_LEN_MAX)?.to_vec();
    let private_key = r.bytes(KEY_LEN_MAX)?.to_vec();
    let cluster = r.option(|r| Ok(ClusterId(r.u128()?)))?;
    let term = r.option(Reader::term)?;
    let fenced = r.bool()?;
    let role = match r.u8()? {
        0 => {
            let count = r.u16()? as usize;
            if count > REPLICAS_MAX {
                return Err(r.malformed("more registrations than are allowed"));
            }
            RoleRecord::Main(
                (0..count)
                    .map(|_| decode_replica(r))
                    .collect::<Result<_, _>>()?,
            )
        }
        1 => {
            let ip = match r.u8()? {
                4 => IpAddr::from(r.fixed::<4>()?),
                6 => IpAddr::from(r.fixed::<16>()?),
                _ => return Err(r.malformed("address family")),
            };
            let listen = SocketAddr::new(ip, r.u16()?);
            let main = r.option(|r| {
                Ok(ObeyedMain {
                    node: NodeId(r.u128()?),
                    fingerprint: Fingerprint(r.fixed()?),
                    term: r.term()?,
                })
            })?;
            RoleRecord::Replica { listen, main }
        }
        _ => return Err(r.malformed("role")),
    };
    Ok(NodeRecord {
        node,
        key: NodeKey {
            certificate,
            private_key,
        },
        cluster,
        term,
        fenced,
        role,
    })
}

fn decode_replica(r: &mut Reader<'_>) -> Result<RegisteredReplica, Malformed> {
    let name = r.text(NAME_LEN_MAX)?.to_owned();
    let mode = match r.u8()? {
        0 => Mode::Async,
        1 => Mode::Sync,
        2 => Mode::SyncTimeout(Duration::from_nanos(r.u64()?)),
        _ => return Err(r.malformed("mode")),
    };
    let endpoint = r.text(300)?.parse().map_err(|_| r.malformed("endpoint"))?;
    let node = NodeId(r.u128()?);
    let fingerprint = Fingerprint(r.fixed()?);
    Ok(RegisteredReplica {
        name,
        mode,
        endpoint,
        node,
        fingerprint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn main_record(replicas: usize) -> NodeRecord {
        let replica = |n: usize| RegisteredReplica {
            name: format!("r{n}"),
            mode: [
                Mode::Async,
                Mode::Sync,
                Mode::SyncTimeout(Duration::from_millis(250)),
            ][n % 3],
            endpoint: ["127.0.0.1:10001", "[::1]:10002", "replica.example:10003"][n % 3]
                .parse()
                .unwrap(),
            node: NodeId(n as u128 + 1),
            fingerprint: Fingerprint([n as u8; 32]),
        };
        NodeRecord {
            node: NodeId(7),
            key: NodeKey {
                certificate: vec![1; 400],
                private_key: vec![2; 130],
            },
            cluster: Some(ClusterId(9)),
            term: Some(Term {
                counter: 3,
                id: 0xfeed,
            }),
            fenced: false,
            role: RoleRecord::Main((0..replicas).map(replica).collect()),
        }
    }

    fn replica_record() -> NodeRecord {
        NodeRecord {
            cluster: None,
            term: None,
            fenced: true,
            role: RoleRecord::Replica {
                listen: "[::]:10000".parse().unwrap(),
                main: Some(ObeyedMain {
                    node: NodeId(8),
                    fingerprint: Fingerprint([8; 32]),
                    term: Term { counter: 4, id: 5 },
                }),
            },
            ..main_record(0)
        }
    }

    fn directory() -> tempdir::TempDir {
        tempdir::TempDir::new()
    }

    /// A directory that goes when the test ends.
    mod tempdir {
        use std::path::{Path, PathBuf};
        use std::sync::atomic::{AtomicU32, Ordering};

        pub struct TempDir(PathBuf);

        impl TempDir {
            pub fn new() -> TempDir {
                static NEXT: AtomicU32 = AtomicU32::new(0);
                let n = NEXT.fetch_add(1, Ordering::Relaxed);
                let path = std::env::temp_dir()
                    .join(format!("quoit-node-record-{}-{n}", std::process::id()));
                std::fs::create_dir_all(&path).unwrap();
                TempDir(path)
            }

            pub fn path(&self) -> &Path {
                &self.0
            }
        }

        impl Drop for TempDir {
            fn drop(&mut self) {
                let _ = std::fs::remove_dir_all(&self.0);
            }
        }
    }

    #[test]
    fn a_stored_record_is_what_the_next_start_finds() {
        let dir = directory();
        let records = [
            main_record(0),
            main_record(3),
            replica_record(),
            main_record(REPLICAS_MAX),
        ];
        let (mut file, found) =
            NodeRecordFile::open_or_create(dir.path(), || records[0].clone()).unwrap();
        assert_eq!(found, records[0]);
        for record in &records {
            file.store(record).unwrap();
            drop(file);
            let found;
            (file, found) =
                NodeRecordFile::open_or_create(dir.path(), || panic!("the record exists")).unwrap();
            assert_eq!(&found, record);
        }
    }

    #[test]
    fn a_registered_instance_is_known_by_its_identity_and_by_its_key() {
        let record = main_record(2);
        let (key, other) = (Fingerprint([1; 32]), Fingerprint([9; 32]));
        assert_eq!(record.registered_as(None, key), Some("r1"));
        assert_eq!(record.registered_as(Some(NodeId(1)), other), Some("r0"));
        assert_eq!(record.registered_as(Some(NodeId(9)), other), None);
        assert_eq!(replica_record().registered_as(Some(NodeId(8)), key), None);
    }

    #[test]
    fn the_largest_record_fits_a_slot() {
        let mut record = main_record(REPLICAS_MAX);
        record.key = NodeKey {
            certificate: vec![0; KEY_LEN_MAX],
            private_key: vec![0; KEY_LEN_MAX],
        };
        let RoleRecord::Main(replicas) = &mut record.role else {
            unreachable!()
        };
        for replica in replicas {
            replica.name = "n".repeat(NAME_LEN_MAX);
            let label = "h".repeat(61);
            replica.endpoint = format!("{label}.{label}.{label}.{label}:65535")
                .parse()
                .unwrap();
            replica.mode = Mode::SyncTimeout(Duration::from_secs(1));
        }
        let (_, bytes) = encode_slot(1, &record);
        assert!(bytes.len() <= SLOT_LEN);
    }

    /// A kill in the middle of a store leaves any prefix of the write, or, at a power cut, any of its sectors.
    #[test]
    fn whatever_a_crash_leaves_of_a_store_the_record_before_or_after_it_opens() {
        let (before, after) = (main_record(2), replica_record());
        let mut file = vec![0u8; 2 * SLOT_LEN];
        let mut put = |generation, record: &NodeRecord| {
            let (offset, bytes) = encode_slot(generation, record);
            file[offset as usize..offset as usize + bytes.len()].copy_from_slice(&bytes);
        };
        put(4, &main_record(5));
        put(5, &before);
        let (offset, bytes) = encode_slot(6, &after);
        let at = offset as usize;
        for cut in 0..=bytes.len() {
            let mut torn = file.clone();
            torn[at..at + cut].copy_from_slice(&bytes[..cut]);
            let expected = if torn[at..at + bytes.len()] == bytes[..] {
                (6, after.clone())
            } else {
                (5, before.clone())
            };
            assert_eq!(newest(&torn), Ok(expected), "cut at {cut}");
        }
        let sectors: Vec<_> = bytes.chunks(64).enumerate().collect();
        assert!(
            (3..20).contains(&sectors.len()),
            "{} small sectors",
            sectors.len()
        );
        for kept in 0u32..1 << sectors.len().min(14) {
            let mut torn = file.clone();
            for (n, sector) in &sectors {
                if kept >> n & 1 == 1 {
                    torn[at + n * 64..at + n * 64 + sector.len()].copy_from_slice(sector);
                }
            }
            let whole = torn[at..at + bytes.len()] == bytes[..];
            let found = newest(&torn).unwrap();
            assert_eq!(
                found,
                if whole {
                    (6, after.clone())
                } else {
                    (5, before.clone())
                },
                "sectors {kept:b}"
            );
        }
    }

    #[test]
    fn no_flipped_bit_changes_a_record_unnoticed() {
        let record = replica_record();
        let (offset, bytes) = encode_slot(2, &record);
        assert_eq!(offset, 0);
        let mut slot = vec![0; SLOT_LEN];
        slot[..bytes.len()].copy_from_slice(&bytes);
        for bit in 0..bytes.len() * 8 {
            slot[bit / 8] ^= 1 << (bit % 8);
            match decode_slot(&slot) {
                // The four bytes of padding are the only ones that say nothing.
                Ok(found) => assert!(
                    (28 * 8..32 * 8).contains(&bit) && found == (2, record.clone()),
                    "bit {bit}"
                ),
                Err(_) => assert!(!(28 * 8..32 * 8).contains(&bit), "bit {bit}"),
            }
            slot[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_damaged_file_is_refused_and_not_replaced() {
        let dir = directory();
        NodeRecordFile::open_or_create(dir.path(), || main_record(1)).unwrap();
        let path = dir.path().join(FILE_NAME);
        std::fs::write(&path, vec![0xff; 2 * SLOT_LEN]).unwrap();
        let error =
            NodeRecordFile::open_or_create(dir.path(), || panic!("no new identity")).unwrap_err();
        assert!(matches!(error, NodeRecordError::Damaged { .. }), "{error}");
        std::fs::write(&path, b"").unwrap();
        let error =
            NodeRecordFile::open_or_create(dir.path(), || panic!("no new identity")).unwrap_err();
        assert!(matches!(error, NodeRecordError::Damaged { .. }), "{error}");
    }

    #[test]
    fn a_record_of_a_newer_version_is_refused_by_name() {
        let mut file = vec![0u8; 2 * SLOT_LEN];
        let (offset, mut bytes) = encode_slot(2, &main_record(1));
        bytes[8] = 2;
        let (header, payload) = SlotHeader::mut_from_prefix(&mut bytes).unwrap();
        header.checksum = U32::new(checksum(header, payload));
        file[offset as usize..offset as usize + bytes.len()].copy_from_slice(&bytes);
        let (offset, bytes) = encode_slot(1, &main_record(1));
        file[offset as usize..offset as usize + bytes.len()].copy_from_slice(&bytes);
        assert_eq!(
            newest(&file),
            Err([SlotError::Version(2), SlotError::Version(2)])
        );
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_the_file_with_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let dir = directory();
        NodeRecordFile::open_or_create(dir.path(), || main_record(1)).unwrap();
        let mode = std::fs::metadata(dir.path().join(FILE_NAME))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
