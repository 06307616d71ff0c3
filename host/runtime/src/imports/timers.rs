use super::{Answer, invalid};
use crate::{bindings::wit::timers, host::TimerChange, state::State};

/// Bytes of a timer's name.
const NAME_BYTES_MAX: usize = 256;

const PAYLOAD_BYTES_MAX: usize = 16 << 10;

impl timers::Host for State {
    fn set(&mut self, name: String, delay_ms: u32, payload: Vec<u8>) -> Answer<()> {
        self.transaction.admit(name.len() + payload.len(), &self.limits)?;
        if !self.takes_timers {
            return Err(invalid(
                "set: the component does not export wakeline:app/timers-handler@0.1.0",
            ));
        }
        check_name(&name)?;
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(invalid(format!(
                "payload is {} bytes; at most {PAYLOAD_BYTES_MAX}",
                payload.len()
            )));
        }
        self.transaction.push_timer(TimerChange::Set {
            name,
            delay_ms,
            payload: payload.into(),
        });
        Ok(())
    }

    fn cancel(&mut self, name: String) -> Answer<()> {
        self.transaction.admit(name.len(), &self.limits)?;
        check_name(&name)?;
        self.transaction.push_timer(TimerChange::Cancel { name });
        Ok(())
    }
}

fn check_name(name: &str) -> Answer<()> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(invalid(format!("a timer's name has 1 to {NAME_BYTES_MAX} bytes")));
    }
    Ok(())
}
