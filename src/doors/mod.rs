//! Where requests arrive. Doors translate between protocols and the gate; they decide nothing.

mod accept;
pub mod dialect;
pub mod edge;
pub mod identity_headers;
pub mod sidecar;
mod sockets;
mod trace;
mod unix;

use std::convert::Infallible;

pub use self::sockets::{Place, Socket, Sockets};
pub(crate) use self::unix::each_peer;

use axum::body::Body;
use http::{Request, Response};
use tower::util::BoxCloneSyncService;

/// The portal, as the doors see it: requests for `/_gate/**` and refusals to be rendered go in, answers come out.
///
/// Every request carries an [`Arc<Visit>`](crate::gate::Visit) extension. To have a refusal rendered, send a
/// `GET /_gate/refused` with a [`Refusal`](crate::gate::Refusal) extension.
pub type PortalService = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;
