//! What this node's log is for: MAIN or replica.
//!
//! Owns the changes between the two and the opening of incarnations. Called by the server at start and
//! by replication on statements. What always holds: a MAIN with history has opened an incarnation of
//! its own, durable, before its first group; a promoted replica has published its whole durable prefix
//! before that; what a replica shows never exceeds the MAIN's mark.

use crate::core::LogCore;
use crate::error::{LogError, Role};
use crate::frame::OpeningReason;
use crate::leader::Unwaited;
use crate::position::{GroupSeq, LogPosition, Term};

impl LogCore {
    /// From now on this log writes what the door seals. With history: opens the next incarnation of
    /// its term, durable on return. Without: nothing is written; the first commit founds term 1, or
    /// [`LogCore::found`] does. On a log that is MAIN already: nothing.
    ///
    /// # Errors
    /// [`LogError::WrongRole`] on a replica (see [`LogCore::promote`]), or what stopped the log.
    pub async fn start_as_main(&self) -> Result<LogPosition, LogError> {
        let mut writer = self.acquire(&self.log.writer).await;
        let result = match self.log.role() {
            Role::Main => Ok(()),
            Role::Idle => {
                let tail = writer.tail;
                self.log.set_role(Role::Main);
                #[cfg(test)]
                if self
                    .log
                    .options
                    .faults
                    .is(crate::tests::faults::Mutant::SameIncarnation)
                    && !tail.is_empty()
                {
                    writer.opened = Some((tail.term, tail.incarnation));
                }
                if tail.is_empty() || writer.opened.is_some() {
                    Ok(())
                } else {
                    self.open_incarnation(&mut writer, tail.term, OpeningReason::Restart)
                        .await
                }
            }
            Role::Stopped => Err(LogError::Stopped),
            role => Err(LogError::WrongRole {
                needed: "an idle log",
                role,
            }),
        };
        let tail = writer.tail;
        self.let_go_and_nudge(writer);
        result.map(|()| tail)
    }

    /// Makes sure that this MAIN has a term: opens term 1 on an empty log (REGISTER), else nothing.
    ///
    /// # Errors
    /// [`LogError::WrongRole`] when this is no MAIN, or what stopped the log.
    pub async fn found(&self) -> Result<LogPosition, LogError> {
        let mut writer = self.acquire(&self.log.writer).await;
        let result = match self.refuse_unless(Role::Main, "a MAIN") {
            Ok(()) if writer.opened.is_none() => {
                let term = Term {
                    counter: 1,
                    id: self.rt.random(),
                };
                self.open_incarnation(&mut writer, term, OpeningReason::Founding)
                    .await
            }
            other => other,
        };
        let tail = writer.tail;
        self.let_go_and_nudge(writer);
        result.map(|()| tail)
    }

    /// From now on this log appends what a MAIN sends. On a MAIN: commits are refused from this call
    /// on, those sealed before are written, then the role changes.
    ///
    /// # Errors
    /// [`LogError::WrongRole`] before recovery, or what stopped the log.
    pub async fn start_as_follower(&self) -> Result<LogPosition, LogError> {
        if self.log.role() == Role::Main {
            self.drain().await?;
        }
        let mut writer = self.acquire(&self.log.writer).await;
        let result = match self.log.role() {
            Role::Idle | Role::Main | Role::Follower => {
                self.log.set_role(Role::Follower);
                writer.opened = None;
                Ok(writer.tail)
            }
            Role::Stopped => Err(LogError::Stopped),
            role => Err(LogError::WrongRole {
                needed: "a recovered log",
                role,
            }),
        };
        self.let_go_and_nudge(writer);
        self.log.set_closing(false);
        if result.is_ok() {
            let mut applied = self.acquire(&self.log.applier).await;
            applied.position = self.log.visible.load();
            self.let_go_and_nudge(applied);
        }
        result
    }

    /// Refuses new commits and writes those that have room already. The caller changes the role next.
    async fn drain(&self) -> Result<(), LogError> {
        self.log.set_closing(true);
        while self.log.space.promised() > 0 {
            if self.log.role() == Role::Stopped {
                return Err(LogError::Stopped);
            }
            self.lead(Unwaited::Written).await?;
            self.rt.yield_now().await;
        }
        Ok(())
    }

    /// A replica becomes MAIN: applies and publishes everything durable here, then opens the next term
    /// (counter + 1, a random id), durable on return. On an empty log: as [`LogCore::start_as_main`].
    ///
    /// # Errors
    /// [`LogError::WrongRole`] on a log that is no replica, or what stopped the log.
    pub async fn promote(&self) -> Result<LogPosition, LogError> {
        self.refuse_unless(Role::Follower, "a replica")?;
        let mut writer = self.acquire(&self.log.writer).await;
        let result = self.promote_holding(&mut writer).await;
        let tail = writer.tail;
        self.let_go_and_nudge(writer);
        result.map(|()| tail)
    }

    async fn promote_holding(&self, writer: &mut crate::log::Writer) -> Result<(), LogError> {
        self.refuse_unless(Role::Follower, "a replica")?;
        // Nothing is appended while the writer is held, so this reaches the end.
        self.apply_up_to(GroupSeq(u64::MAX)).await?;
        self.ledger.door().restart_at(writer.tail.commit);
        self.log.set_role(Role::Main);
        if writer.tail.is_empty() {
            return Ok(());
        }
        let term = Term {
            counter: writer.tail.term.counter + 1,
            id: self.rt.random(),
        };
        self.open_incarnation(writer, term, OpeningReason::Promotion)
            .await
    }

    /// Shutdown: waits for the write in flight and for what is sealed, writes the marks, and takes
    /// nothing more.
    ///
    /// # Errors
    /// What stopped the log before.
    pub async fn close(&self) -> Result<(), LogError> {
        if self.log.role() == Role::Main {
            self.drain().await?;
        }
        let mut writer = self.acquire(&self.log.writer).await;
        let result = match self.log.role() {
            Role::Stopped => Err(LogError::Stopped),
            Role::Main | Role::Follower => self.write_mark(&mut writer).await,
            Role::Idle | Role::Closed => Ok(()),
        };
        if self.log.role() != Role::Stopped {
            self.log.set_role(Role::Stopped);
        }
        self.let_go_and_nudge(writer);
        // A segment that is being made is whole, or gone, before the directory is anybody else's.
        drop(self.maker().await);
        self.log.ring_keeper();
        self.log.ring_all();
        result
    }
}
