//! A whole server in this process, spoken to over loopback in Bolt's own messages.
//!
//! What drivers never send, or not in this order, is sent here: requests in wrong states, pipelines that fail, clients that do
//! not read. Each file is one subject; `client` holds the client and the server under test.

mod client;
mod cores;
mod histories;
mod limits;
mod lives;
mod states;
mod streams;
mod transactions;
mod versions;
mod websocket;
