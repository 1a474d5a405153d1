//! Admin statements.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map, opt, value};

use super::clause::keyed;
use super::expression::expression;
use super::input::{Input, Miss, Parsed, comma_list, named, token, word, words};
use super::statement::statement;
use crate::ast::admin::*;
use crate::ast::schema::EntityKind;
use crate::ast::{Expr, Ident};
use crate::token::{TokenKind, string_value};

/// An admin statement. Misses at the first words of anything else.
pub(super) fn admin_statement(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    type Admin = for<'a> fn(Input<'a>) -> Parsed<'a, AdminStatement>;
    const STATEMENTS: &[(&str, Admin)] = &[
        ("SHOW", show),
        ("SET", set),
        ("REGISTER", register_replica),
        ("CREATE", create),
        ("DROP", drop),
        ("BEGIN", |at| {
            value(AdminStatement::Begin, opt(word("TRANSACTION"))).parse(at)
        }),
        ("COMMIT", |at| {
            value(AdminStatement::Commit, opt(word("TRANSACTION"))).parse(at)
        }),
        ("ROLLBACK", |at| {
            value(AdminStatement::Rollback, opt(word("TRANSACTION"))).parse(at)
        }),
        ("USE", |at| {
            map((word("DATABASE"), name), |(_, name)| {
                AdminStatement::UseDatabase { name }
            })
            .parse(at)
        }),
        ("STORAGE", storage_mode),
        ("EDGE", edge_import_mode),
        ("TERMINATE", terminate),
        ("RECOVER", recover_snapshot),
        ("FREE", |at| {
            value(AdminStatement::FreeMemory, word("MEMORY")).parse(at)
        }),
        ("LOCK", |at| {
            value(
                AdminStatement::LockDataDirectory,
                words(&["DATA", "DIRECTORY"]),
            )
            .parse(at)
        }),
        ("UNLOCK", |at| {
            value(
                AdminStatement::UnlockDataDirectory,
                words(&["DATA", "DIRECTORY"]),
            )
            .parse(at)
        }),
        ("DATA", |at| {
            value(
                AdminStatement::DataDirectoryLockStatus,
                words(&["DIRECTORY", "LOCK", "STATUS"]),
            )
            .parse(at)
        }),
        ("CLEAR", |at| {
            map(
                (alt((word("ROLES"), word("ROLE"))), word("FOR"), name),
                |(_, _, user)| AdminStatement::ClearRole { user },
            )
            .parse(at)
        }),
        ("GRANT", |at| privileges(at, PrivilegeAction::Grant)),
        ("DENY", |at| privileges(at, PrivilegeAction::Deny)),
        ("REVOKE", |at| privileges(at, PrivilegeAction::Revoke)),
        ("ENABLE", enable_ttl),
        ("DISABLE", |at| {
            value(AdminStatement::DisableTtl, word("TTL")).parse(at)
        }),
        ("STOP", |at| {
            value(AdminStatement::StopTtl, word("TTL")).parse(at)
        }),
    ];
    for (keyword, parser) in STATEMENTS {
        if let Ok((at, _)) = word(keyword).parse(input) {
            return parser(at);
        }
    }
    Err(nom::Err::Error(Miss))
}

/// The name of a replica, user, database or the like: a symbolic name, a backquoted one, or a string.
fn name(input: Input<'_>) -> Parsed<'_, Ident> {
    match input.kind(0) {
        TokenKind::String => Ok((
            input.next(),
            Ident {
                name: string_value(input.raw(0)),
                span: input.token().span,
            },
        )),
        _ => named(input, "a name"),
    }
}

fn set(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    alt((
        |at| set_replication_role(at),
        |at| set_isolation_level(at),
        |at| {
            let (at, _) = words(&["DATABASE", "SETTING"]).parse(at)?;
            let (rest, (name, _, value)) = cut((expression, word("TO"), expression)).parse(at)?;
            Ok((rest, AdminStatement::SetDatabaseSetting { name, value }))
        },
        |at| set_password(at),
        |at| {
            let (at, _) = (alt((word("ROLES"), word("ROLE"))), word("FOR")).parse(at)?;
            let (rest, (user, _, roles)) =
                cut((name, word("TO"), |at| comma_list(at, name))).parse(at)?;
            Ok((rest, AdminStatement::SetRole { user, roles }))
        },
        |at| {
            let (at, _) = words(&["SESSION", "TRACE"]).parse(at)?;
            let (rest, on) =
                cut(alt((value(true, word("ON")), value(false, word("OFF"))))).parse(at)?;
            Ok((rest, AdminStatement::SetSessionTrace { on }))
        },
    ))
    .parse(input)
}

fn set_replication_role(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    let (at, _) = words(&["REPLICATION", "ROLE"]).parse(input)?;
    let role = alt((
        value(ReplicationRole::Main, word("MAIN")),
        value(ReplicationRole::Replica, word("REPLICA")),
    ));
    let (mut at, (_, role)) = cut((word("TO"), role)).parse(at)?;
    let (mut port, mut address) = (None, None);
    // `WITH PORT p` and `ON ADDRESS a` (also `WITH ADDRESS a`), in either order.
    loop {
        if let Ok((rest, _)) = words(&["WITH", "PORT"]).parse(at)
            && port.is_none()
        {
            (at, port) = cut(map(expression, Some)).parse(rest)?;
        } else if let Ok((rest, _)) =
            alt((words(&["ON", "ADDRESS"]), words(&["WITH", "ADDRESS"]))).parse(at)
            && address.is_none()
        {
            (at, address) = cut(map(expression, Some)).parse(rest)?;
        } else {
            return Ok((
                at,
                AdminStatement::SetReplicationRole {
                    role,
                    port,
                    address,
                },
            ));
        }
    }
}

fn set_isolation_level(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    let scope = alt((
        value(IsolationScope::Global, word("GLOBAL")),
        value(IsolationScope::Session, word("SESSION")),
        value(IsolationScope::Next, word("NEXT")),
    ));
    let (at, (scope, _)) = (scope, words(&["TRANSACTION", "ISOLATION", "LEVEL"])).parse(input)?;
    let level = alt((
        value(IsolationLevel::Snapshot, words(&["SNAPSHOT", "ISOLATION"])),
        value(IsolationLevel::ReadCommitted, words(&["READ", "COMMITTED"])),
        value(
            IsolationLevel::ReadUncommitted,
            words(&["READ", "UNCOMMITTED"]),
        ),
        value(IsolationLevel::Serializable, word("SERIALIZABLE")),
    ));
    let (rest, level) = cut(level).parse(at)?;
    Ok((rest, AdminStatement::SetIsolationLevel { scope, level }))
}

fn set_password(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    let (at, _) = word("PASSWORD").parse(input)?;
    let (at, user) = opt((word("FOR"), cut(name))).parse(at)?;
    let (at, (_, password)) = cut((word("TO"), expression)).parse(at)?;
    let (rest, replace) = keyed(at, "REPLACE")?;
    Ok((
        rest,
        AdminStatement::SetPassword {
            user: user.map(|(_, user)| user),
            password,
            replace,
        },
    ))
}

fn register_replica(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    let (at, _) = word("REPLICA").parse(input)?;
    let mode = alt((
        value(SyncMode::Sync, word("SYNC")),
        value(SyncMode::Async, word("ASYNC")),
        value(SyncMode::StrictSync, word("STRICT_SYNC")),
    ));
    let (at, (name, mode)) = cut((name, mode)).parse(at)?;
    let (at, timeout) = with(at, &["WITH", "TIMEOUT"])?;
    let (at, (_, address)) = cut((word("TO"), expression)).parse(at)?;
    let (rest, fingerprint) = with(at, &["WITH", "FINGERPRINT"])?;
    let register = RegisterReplica {
        name,
        mode,
        timeout,
        address,
        fingerprint,
    };
    Ok((rest, AdminStatement::RegisterReplica(Box::new(register))))
}

fn with<'a>(input: Input<'a>, keywords: &'static [&'static str]) -> Parsed<'a, Option<Expr>> {
    match words(keywords).parse(input) {
        Ok((at, _)) => cut(map(expression, Some)).parse(at),
        Err(_) => Ok((input, None)),
    }
}

fn storage_mode(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    let mode = alt((
        value(
            StorageMode::InMemoryTransactional,
            word("IN_MEMORY_TRANSACTIONAL"),
        ),
        value(
            StorageMode::InMemoryAnalytical,
            word("IN_MEMORY_ANALYTICAL"),
        ),
        value(
            StorageMode::OnDiskTransactional,
            word("ON_DISK_TRANSACTIONAL"),
        ),
    ));
    map((word("MODE"), mode), |(_, mode)| {
        AdminStatement::SetStorageMode(mode)
    })
    .parse(input)
}

fn edge_import_mode(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    let active = alt((value(true, word("ACTIVE")), value(false, word("INACTIVE"))));
    map((words(&["IMPORT", "MODE"]), active), |(_, active)| {
        AdminStatement::EdgeImportMode { active }
    })
    .parse(input)
}

fn terminate(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    let (at, _) = alt((word("TRANSACTIONS"), word("TRANSACTION"))).parse(input)?;
    let (rest, ids) = cut(|at| comma_list(at, expression)).parse(at)?;
    Ok((rest, AdminStatement::TerminateTransactions { ids }))
}

fn recover_snapshot(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    let (at, _) = word("SNAPSHOT").parse(input)?;
    let (at, path) = cut(expression).parse(at)?;
    let (rest, force) = opt(word("FORCE")).parse(at)?;
    Ok((
        rest,
        AdminStatement::RecoverSnapshot {
            path,
            force: force.is_some(),
        },
    ))
}

fn enable_ttl(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    let (at, _) = word("TTL").parse(input)?;
    let (at, every) = keyed(at, "EVERY")?;
    let (rest, at_time) = keyed(at, "AT")?;
    Ok((rest, AdminStatement::EnableTtl { every, at: at_time }))
}

fn create(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    alt((
        value(AdminStatement::CreateSnapshot, word("SNAPSHOT")),
        map((word("DATABASE"), cut(name)), |(_, name)| {
            AdminStatement::CreateDatabase { name }
        }),
        |at| {
            let (at, _) = word("USER").parse(at)?;
            let (at, (name, if_not_exists)) = cut(conditional_name).parse(at)?;
            let (rest, password) = with(at, &["IDENTIFIED", "BY"])?;
            Ok((
                rest,
                AdminStatement::CreateUser {
                    name,
                    if_not_exists,
                    password,
                },
            ))
        },
        |at| {
            let (at, _) = word("ROLE").parse(at)?;
            let (rest, (name, if_not_exists)) = cut(conditional_name).parse(at)?;
            Ok((
                rest,
                AdminStatement::CreateRole {
                    name,
                    if_not_exists,
                },
            ))
        },
        |at| {
            let (at, _) = word("TRIGGER").parse(at)?;
            cut(create_trigger).parse(at)
        },
    ))
    .parse(input)
}

/// `[IF NOT EXISTS] name [IF NOT EXISTS]`.
fn conditional_name(input: Input<'_>) -> Parsed<'_, (Ident, bool)> {
    let condition = || opt(words(&["IF", "NOT", "EXISTS"]));
    let (rest, (before, name, behind)) = (condition(), name, condition()).parse(input)?;
    Ok((rest, (name, before.or(behind).is_some())))
}

fn create_trigger(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    let (at, name) = name(input)?;
    let security = alt((value(false, word("DEFINER")), value(true, word("INVOKER"))));
    let (at, security) = opt((word("SECURITY"), security)).parse(at)?;
    let (at, on) = opt(word("ON")).parse(at)?;
    let (at, (entity, event)) = match on {
        Some(_) => trigger_event(at)?,
        None => (at, (None, None)),
    };
    let (at, before) = alt((value(true, word("BEFORE")), value(false, word("AFTER")))).parse(at)?;
    let (at, _) = words(&["COMMIT", "EXECUTE"]).parse(at)?;
    let (rest, body) = at.nested(statement)?;
    let statement_text = at.span_to(rest).text(input.text()).into();
    let trigger = CreateTrigger {
        name,
        invoker: security.is_some_and(|(_, invoker)| invoker),
        entity,
        event,
        before_commit: before,
        statement: body,
        statement_text,
    };
    Ok((rest, AdminStatement::CreateTrigger(Box::new(trigger))))
}

fn trigger_event(input: Input<'_>) -> Parsed<'_, (Option<EntityKind>, Option<TriggerEvent>)> {
    let node = (token(TokenKind::LeftParen), token(TokenKind::RightParen));
    let edge = (
        token(TokenKind::Minus),
        token(TokenKind::Minus),
        token(TokenKind::Greater),
    );
    let entity = alt((
        value(EntityKind::Node, node),
        value(EntityKind::Relationship, edge),
    ));
    let event = alt((
        value(TriggerEvent::Create, word("CREATE")),
        value(TriggerEvent::Update, word("UPDATE")),
        value(TriggerEvent::Delete, word("DELETE")),
    ));
    (opt(entity), map(event, Some)).parse(input)
}

fn drop(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    alt((
        map((word("REPLICA"), cut(name)), |(_, name)| {
            AdminStatement::DropReplica { name }
        }),
        map(
            (word("DATABASE"), cut(name), opt(word("FORCE"))),
            |(_, name, force)| AdminStatement::DropDatabase {
                name,
                force: force.is_some(),
            },
        ),
        map(
            (word("USER"), cut(name), opt(words(&["IF", "EXISTS"]))),
            |(_, name, condition)| AdminStatement::DropUser {
                name,
                if_exists: condition.is_some(),
            },
        ),
        map((word("ROLE"), cut(name)), |(_, name)| {
            AdminStatement::DropRole { name }
        }),
        map((word("TRIGGER"), cut(name)), |(_, name)| {
            AdminStatement::DropTrigger { name }
        }),
    ))
    .parse(input)
}

fn show(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    alt((
        value(AdminStatement::ShowReplicas, word("REPLICAS")),
        value(
            AdminStatement::ShowReplicationRole,
            words(&["REPLICATION", "ROLE"]),
        ),
        value(
            AdminStatement::ShowReplicationLag,
            words(&["REPLICATION", "LAG"]),
        ),
        |at| show_transactions(at),
        |at| show_storage_info_on(at),
        map(
            (words(&["DATABASE", "SETTING"]), cut(expression)),
            |(_, name)| AdminStatement::ShowDatabaseSetting { name },
        ),
        map(
            (
                alt((words(&["ROLE", "FOR"]), words(&["ROLES", "FOR"]))),
                cut(name),
            ),
            |(_, user)| AdminStatement::ShowRoleFor { user },
        ),
        map((words(&["USERS", "FOR"]), cut(name)), |(_, role)| {
            AdminStatement::ShowUsersFor { role }
        }),
        map((words(&["PRIVILEGES", "FOR"]), cut(name)), |(_, name)| {
            AdminStatement::ShowPrivilegesFor { name }
        }),
        |at| show_kind(at),
    ))
    .parse(input)
}

fn show_kind(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    for (keywords, kind) in ShowKind::WORDS {
        if let Ok((rest, _)) = words(keywords).parse(input) {
            return Ok((rest, AdminStatement::Show(*kind)));
        }
    }
    Err(nom::Err::Error(Miss))
}

fn show_transactions(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    let state = alt((
        value(TransactionState::Running, word("RUNNING")),
        value(TransactionState::Committing, word("COMMITTING")),
        value(TransactionState::Aborting, word("ABORTING")),
    ));
    let states = opt(nom::multi::separated_list1(token(TokenKind::Comma), state));
    let (rest, (states, _)) = (states, word("TRANSACTIONS")).parse(input)?;
    Ok((
        rest,
        AdminStatement::ShowTransactions {
            states: states.unwrap_or_default(),
        },
    ))
}

fn show_storage_info_on(input: Input<'_>) -> Parsed<'_, AdminStatement> {
    let (at, _) = words(&["STORAGE", "INFO", "ON"]).parse(input)?;
    let current = value(None, words(&["CURRENT", "DATABASE"]));
    let other = map((word("DATABASE"), name), |(_, name)| Some(name));
    let (rest, database) = cut(alt((current, other))).parse(at)?;
    Ok((rest, AdminStatement::ShowStorageInfoOn { database }))
}

/// `GRANT privilege, ... [ON scope] TO name`, `REVOKE ... FROM name`.
fn privileges(input: Input<'_>, action: PrivilegeAction) -> Parsed<'_, AdminStatement> {
    let (at, privileges) = comma_list(input, privilege)?;
    let scope_start = at;
    let mut at = at;
    if word("ON").parse(at).is_ok() {
        at = at.next();
        while !matches!(at.kind(0), TokenKind::End | TokenKind::Semicolon)
            && !at.is_word(0, "TO")
            && !at.is_word(0, "FROM")
        {
            at = at.next();
        }
    }
    let scope = scope_start.span_to(at);
    let (at, _) = alt((word("TO"), word("FROM"))).parse(at)?;
    let (rest, grantee) = name(at)?;
    let scope = (!scope.is_empty()).then(|| scope.text(input.text())["ON".len()..].trim().into());
    let change = PrivilegeChange {
        action,
        privileges,
        scope,
        grantee,
        span: input.span_to(rest),
    };
    Ok((rest, AdminStatement::Privileges(Box::new(change))))
}

/// One privilege: words up to a comma, `ON`, `TO` or `FROM`, in upper case.
fn privilege(input: Input<'_>) -> Parsed<'_, crate::ast::Name> {
    let (mut at, _) = named(input, "a privilege")?;
    let mut words = input.raw(0).to_ascii_uppercase();
    while at.kind(0) == TokenKind::Word
        && !["ON", "TO", "FROM"].iter().any(|end| at.is_word(0, end))
    {
        words.push(' ');
        words.push_str(&at.raw(0).to_ascii_uppercase());
        at = at.next();
    }
    Ok((
        at,
        if words == "ALL PRIVILEGES" {
            "ALL".into()
        } else {
            words.into()
        },
    ))
}
