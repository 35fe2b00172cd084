/**
 * How much more than the limit grpc-js takes in, so that the refusal can say what the limit is. Above that it refuses by itself and names this multiple; the client
 * takes the factor out again.
 */
export const RECEIVE_FACTOR = 2;
