//! What a request costs on its way in and out: RUN and PULL decoded in place, their answers encoded.

use criterion::{Criterion, criterion_group, criterion_main};
use quoit_protocol::chunk::{Dechunker, MESSAGE_LEN_AFTER_LOGIN};
use quoit_protocol::message::Request;
use quoit_protocol::message::answer::{EncodedFields, RunAnswer};
use quoit_protocol::packstream::Limits;
use quoit_protocol::{SendBuffer, Version, WireFormat};
use std::hint::black_box;

fn requests() -> Vec<u8> {
    let mut client = SendBuffer::new(WireFormat::new(Version::V5_8));
    client.ask_run(
        "MATCH (n:User {id: $id}) RETURN n",
        |map| map.int("id", 4711),
        &Default::default(),
    );
    client.ask_pull(quoit_protocol::message::StreamRequest {
        rows: quoit_protocol::message::Rows::All,
        qid: None,
    });
    client.as_slice().to_vec()
}

fn decode(c: &mut Criterion) {
    let bytes = requests();
    let mut received = bytes.clone();
    c.bench_function("bolt: RUN and PULL decoded", |b| {
        let mut dechunker = Dechunker::new(MESSAGE_LEN_AFTER_LOGIN);
        b.iter(|| {
            received.copy_from_slice(&bytes);
            let mut input = received.as_mut_slice();
            while let Some(message) = dechunker.next(&mut input).expect("within the limit") {
                black_box(
                    Request::decode(message, Version::V5_8, &Limits::AFTER_LOGIN)
                        .expect("a request"),
                );
            }
        });
    });
}

fn encode(c: &mut Criterion) {
    let mut send = SendBuffer::new(WireFormat::new(Version::V5_8));
    let fields = EncodedFields::new(["n"]);
    c.bench_function("bolt: SUCCESS and a vertex encoded", |b| {
        b.iter(|| {
            send.clear();
            send.run_success(&RunAnswer {
                fields: &fields,
                t_first_ms: 0,
                qid: None,
                database: None,
            });
            let mut record = send.record(1);
            record.vertex(4711, ["User"], |map| {
                map.int("id", 4711);
                map.int("age", 33);
                map.string("gender", "woman");
                map.int("completion_percentage", 42);
            });
            record.finish();
            black_box(send.as_slice());
        });
    });
}

criterion_group!(benches, decode, encode);
criterion_main!(benches);
