use wakeline_sdk as _; use serde as _;
