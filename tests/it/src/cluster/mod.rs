//! Many nodes: real processes, killed, stopped and cut off. What is tested is said by the names in here; a seed
//! (`WAKELINE_CHAOS_SEED`) makes clients and their traffic the same again.
mod avalanche;
mod chaos;
mod checker;
mod chromium;
mod connect;
mod deploys;
mod history;
mod leader;
mod light;
mod operators;
mod start;
mod storm;
mod swarm;
mod verbs;
