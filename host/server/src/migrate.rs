//! States of sockets that another version of the app has written: the version that runs now is asked to take them over,
//! before the first call of such a socket and as one with it.
use router::{Call, CallKind, Effect, Failure, SocketView};
use runtime::Worker;

/// Runs a call on a version of an app (0: an app's folder, which counts no versions).
pub(crate) async fn call(worker: &Worker, version: u32, call: &mut Call) -> Result<Vec<Effect>, Failure> {
    let is_other = |socket: &SocketView| version > 0 && socket.state_version != version;
    if !call.socket.as_ref().is_some_and(is_other) {
        return worker.call(call).await;
    }
    // Boxed, as is whatever a usual call has no use for: each call's future is made anew, and copied.
    Box::pin(call_of_another(worker, version, call)).await
}

async fn call_of_another(worker: &Worker, version: u32, call: &mut Call) -> Result<Vec<Effect>, Failure> {
    let mut effects = take_over(worker, call).await?;
    effects.extend(worker.call(call).await?);
    if effects.iter().any(|effect| matches!(effect, Effect::SetState(_))) {
        effects.push(Effect::StateVersion(version));
    }
    Ok(effects)
}

/// Has the state brought into the form of this version. If that fails, so does the call, and the state stays as it was:
/// the next call tries again.
async fn take_over(worker: &Worker, call: &mut Call) -> Result<Vec<Effect>, Failure> {
    let Some(socket) = call.socket.as_mut().filter(|socket| !socket.state.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut asked = Call {
        socket: Some(socket.clone()),
        kind: CallKind::Migrate {
            state: socket.state.clone(),
            from_version: socket.state_version,
        },
        trace: call.trace,
    };
    let mut effects = worker.call(&mut asked).await?;
    let migrated = effects.iter().rev().find_map(|effect| match effect {
        Effect::SetState(state) => Some(state.clone()),
        _ => None,
    });
    match migrated {
        Some(state) => socket.state = state,
        // It leaves states as they are, which makes this one its own.
        None => effects.push(Effect::SetState(socket.state.clone())),
    }
    Ok(effects)
}
