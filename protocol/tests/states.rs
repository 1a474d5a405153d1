//! The session's state table, cell by cell, and the ways through it.

use quoit_protocol::Version;
use quoit_protocol::message::RequestKind as R;
use quoit_protocol::state::{Session, State as S, TransactionChange as Change, Verdict};

/// The table of the Bolt page, with rows and columns in the order of [`R::ALL`] and [`S::ALL`]:
/// A accept, I ignore, X violation, C close.
const TABLE: [(R, &str); 13] = [
    //              Neg Auth Ready Str TxR TxS Fail Int Closed
    (R::Hello, "     A   X    X    X   X   X   X   X   C"),
    (R::Logon, "     X   A    X    X   X   X   X   X   C"),
    (R::Logoff, "    X   X    A    X   X   X   I   I   C"),
    (R::Telemetry, " X   X    A    X   X   X   I   I   C"),
    (R::Run, "       X   X    A    X   A   A   I   I   C"),
    (R::Begin, "     X   X    A    X   X   X   I   I   C"),
    (R::Pull, "      X   X    X    A   X   A   I   I   C"),
    (R::Discard, "   X   X    X    A   X   A   I   I   C"),
    (R::Commit, "    X   X    X    X   A   A   I   I   C"),
    (R::Rollback, "  X   X    X    X   A   A   I   I   C"),
    (R::Route, "     X   X    A    X   X   X   I   I   C"),
    (R::Reset, "     X   X    A    A   A   A   A   A   C"),
    (R::Goodbye, "   C   C    C    C   C   C   C   C   C"),
];

/// Runs an accepted request.
fn accept(session: &mut Session, request: R) {
    assert_eq!(session.on_request(request), Verdict::Accept, "{request}");
}

fn logged_in(version: Version) -> Session {
    let mut session = Session::new(version);
    accept(&mut session, R::Hello);
    session.hello_succeeded();
    if version.has_logon() {
        accept(&mut session, R::Logon);
        session.logon_succeeded();
    }
    assert_eq!(session.state(), S::Ready);
    session
}

/// A session in this state, reached as a client would; `None` if this version does not have the state.
fn in_state(version: Version, state: S) -> Option<Session> {
    let mut session = match state {
        S::Negotiation | S::Authentication | S::Closed => Session::new(version),
        _ => logged_in(version),
    };
    match state {
        S::Negotiation | S::Ready => {}
        S::Authentication if !version.has_logon() => return None,
        S::Authentication => {
            accept(&mut session, R::Hello);
            session.hello_succeeded();
        }
        S::Streaming => {
            accept(&mut session, R::Run);
            session.run_succeeded(Change::None);
        }
        S::TxReady | S::TxStreaming => {
            accept(&mut session, R::Begin);
            session.begin_succeeded();
            if state == S::TxStreaming {
                accept(&mut session, R::Run);
                session.run_succeeded(Change::None);
            }
        }
        S::Failed => {
            accept(&mut session, R::Run);
            session.failed();
        }
        S::Interrupted => session.interrupt(),
        S::Closed => session.close(),
    }
    assert_eq!(session.state(), state);
    Some(session)
}

#[test]
fn each_cell_is_as_the_table_says() {
    for version in [
        Version::V4_1,
        Version::V4_4,
        Version::V5_0,
        Version::V5_1,
        Version::V6_1,
    ] {
        let mut cells = 0;
        for (row, request) in TABLE.iter().zip(R::ALL) {
            assert_eq!(row.0, request);
            let columns: Vec<_> = row.1.split_whitespace().collect();
            assert_eq!(columns.len(), S::ALL.len());
            for (cell, state) in columns.into_iter().zip(S::ALL) {
                let Some(mut session) = in_state(version, state) else {
                    continue;
                };
                let verdict = session.on_request(request);
                let (letter, after) = match verdict {
                    Verdict::Accept => ("A", state),
                    Verdict::Ignore => ("I", state),
                    Verdict::Violation(wrong) => {
                        assert_eq!((wrong.request, wrong.state), (request, state));
                        assert_eq!(
                            wrong.to_string(),
                            format!("message {request} is not allowed in state {}", state.name())
                        );
                        ("X", S::Closed)
                    }
                    Verdict::Close => ("C", S::Closed),
                };
                assert_eq!(letter, cell, "{request} in {state:?} of {version}");
                assert_eq!(
                    session.state(),
                    after,
                    "{request} in {state:?} of {version}"
                );
                cells += 1;
            }
        }
        assert_eq!(cells, if version.has_logon() { 117 } else { 104 });
    }
}

#[test]
fn before_5_1_hello_logs_in() {
    let mut session = Session::new(Version::V5_0);
    accept(&mut session, R::Hello);
    assert!(!session.is_logged_in());
    session.hello_succeeded();
    assert_eq!(session.state(), S::Ready);
    assert!(session.is_logged_in());
}

#[test]
fn a_failed_login_ends_the_session() {
    for (version, request) in [(Version::V5_0, R::Hello), (Version::V5_4, R::Hello)] {
        let mut session = Session::new(version);
        accept(&mut session, request);
        session.failed();
        assert_eq!(session.state(), S::Closed);
    }
    let mut session = in_state(Version::V5_4, S::Authentication).unwrap();
    accept(&mut session, R::Logon);
    session.failed();
    assert_eq!(session.on_request(R::Logon), Verdict::Close);
}

#[test]
fn a_user_can_be_changed_by_logoff_and_logon() {
    let mut session = logged_in(Version::V5_4);
    accept(&mut session, R::Logoff);
    session.logoff_succeeded();
    assert_eq!(session.state(), S::Authentication);
    assert!(!session.is_logged_in());
    accept(&mut session, R::Logon);
    session.logon_succeeded();
    assert_eq!(session.state(), S::Ready);
}

#[test]
fn each_failure_after_login_leads_to_failed_until_reset() {
    for (state, request) in [
        (S::Ready, R::Telemetry),
        (S::Ready, R::Run),
        (S::Ready, R::Begin),
        (S::Ready, R::Route),
        (S::Streaming, R::Pull),
        (S::TxReady, R::Run),
        (S::TxReady, R::Commit),
        (S::TxReady, R::Rollback),
        (S::TxStreaming, R::Run),
        (S::TxStreaming, R::Discard),
        (S::TxStreaming, R::Commit),
    ] {
        let mut session = in_state(Version::V5_8, state).unwrap();
        accept(&mut session, request);
        session.failed();
        assert_eq!(session.state(), S::Failed);
        assert_eq!(session.on_request(R::Pull), Verdict::Ignore);
        accept(&mut session, R::Reset);
        session.reset_succeeded();
        assert_eq!(session.state(), S::Ready);
    }
}

#[test]
fn an_auto_commit_stream_ends_in_ready() {
    let mut session = in_state(Version::V5_8, S::Streaming).unwrap();
    accept(&mut session, R::Pull);
    // More rows: nothing to report.
    accept(&mut session, R::Pull);
    session.stream_ended();
    assert_eq!(session.state(), S::Ready);
    assert!(matches!(session.on_request(R::Pull), Verdict::Violation(_)));
}

#[test]
fn several_streams_in_a_transaction_end_one_by_one() {
    let mut session = in_state(Version::V5_8, S::TxStreaming).unwrap();
    accept(&mut session, R::Run);
    session.run_succeeded(Change::None);
    accept(&mut session, R::Pull);
    session.stream_ended();
    assert_eq!(session.state(), S::TxStreaming);
    accept(&mut session, R::Discard);
    session.stream_ended();
    assert_eq!(session.state(), S::TxReady);
    accept(&mut session, R::Commit);
    session.transaction_ended();
    assert_eq!(session.state(), S::Ready);
}

#[test]
fn commit_closes_streams_that_are_still_open() {
    let mut session = in_state(Version::V4_4, S::TxStreaming).unwrap();
    accept(&mut session, R::Commit);
    session.transaction_ended();
    assert_eq!(session.state(), S::Ready);
    accept(&mut session, R::Run);
    session.run_succeeded(Change::None);
    accept(&mut session, R::Pull);
    session.stream_ended();
    assert_eq!(
        session.state(),
        S::Ready,
        "no stream of the past is counted"
    );
}

/// As mgclient does: transaction commands are queries with an empty result.
#[test]
fn a_transaction_can_be_opened_and_closed_by_text() {
    let mut session = logged_in(Version::V4_4);
    let mut query = |change, during, after| {
        accept(&mut session, R::Run);
        session.run_succeeded(change);
        assert_eq!(session.state(), during);
        accept(&mut session, R::Pull);
        session.stream_ended();
        assert_eq!(session.state(), after);
    };
    query(Change::Opened, S::TxStreaming, S::TxReady);
    query(Change::None, S::TxStreaming, S::TxReady);
    query(Change::Closed, S::Streaming, S::Ready);
    query(Change::None, S::Streaming, S::Ready);
    // Opened by text, closed by message.
    query(Change::Opened, S::TxStreaming, S::TxReady);
    accept(&mut session, R::Commit);
    session.transaction_ended();
    assert_eq!(session.state(), S::Ready);
}

#[test]
fn a_received_reset_interrupts_and_what_waits_before_it_is_ignored() {
    let mut session = in_state(Version::V5_8, S::Streaming).unwrap();
    accept(&mut session, R::Pull);
    // While the PULL runs, RUN, PULL and RESET arrive.
    session.interrupt();
    assert_eq!(session.state(), S::Interrupted);
    session.failed();
    assert_eq!(session.state(), S::Interrupted, "the PULL was cancelled");
    assert_eq!(session.on_request(R::Run), Verdict::Ignore);
    assert_eq!(session.on_request(R::Pull), Verdict::Ignore);
    accept(&mut session, R::Reset);
    session.reset_succeeded();
    assert_eq!(session.state(), S::Ready);
}

#[test]
fn an_interrupted_request_that_succeeds_after_all_changes_nothing() {
    type Succeeded = fn(&mut Session);
    let finish: [(S, R, Succeeded); 4] = [
        (S::TxReady, R::Commit, Session::transaction_ended),
        (S::Ready, R::Begin, Session::begin_succeeded),
        (S::Ready, R::Run, |s| s.run_succeeded(Change::None)),
        (S::TxStreaming, R::Pull, Session::stream_ended),
    ];
    for (state, request, succeeded) in finish {
        let mut session = in_state(Version::V5_8, state).unwrap();
        accept(&mut session, request);
        session.interrupt();
        succeeded(&mut session);
        assert_eq!(session.state(), S::Interrupted, "{request}");
    }
}

#[test]
fn each_of_several_resets_succeeds_and_only_the_last_leads_to_ready() {
    let mut session = logged_in(Version::V5_8);
    accept(&mut session, R::Run);
    session.interrupt();
    session.interrupt();
    session.failed();
    accept(&mut session, R::Reset);
    session.reset_succeeded();
    assert_eq!(session.state(), S::Interrupted);
    assert_eq!(session.on_request(R::Run), Verdict::Ignore);
    accept(&mut session, R::Reset);
    session.reset_succeeded();
    assert_eq!(session.state(), S::Ready);
    accept(&mut session, R::Reset);
    session.reset_succeeded();
    assert_eq!(session.state(), S::Ready, "one that nobody announced");
}

#[test]
fn a_stranger_cannot_interrupt() {
    for state in [S::Negotiation, S::Authentication] {
        let mut session = in_state(Version::V5_8, state).unwrap();
        session.interrupt();
        assert_eq!(session.state(), state);
        assert!(matches!(
            session.on_request(R::Reset),
            Verdict::Violation(_)
        ));
    }
}

#[test]
fn nothing_leaves_closed() {
    let mut session = in_state(Version::V5_8, S::Streaming).unwrap();
    accept(&mut session, R::Pull);
    session.close();
    session.stream_ended();
    session.interrupt();
    session.failed();
    assert_eq!(session.state(), S::Closed);
    for request in R::ALL {
        assert_eq!(session.on_request(request), Verdict::Close);
    }
}
