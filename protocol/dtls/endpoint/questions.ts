/** What a handshake asks of those who keep credentials: answered at once or later. */
import type { ClientCredentials, Eventually } from "../credentials-contract.ts";
import type { Answer, Question } from "../handshake-contract.ts";

/** Never throws or rejects: a look-up that does is the answer "failed". */
export function answerTo(question: Question, credentials: ClientCredentials | undefined): Eventually<Answer> {
  try {
    const answer = ask(question, credentials);
    return answer instanceof Promise ? answer.catch(failed) : answer;
  } catch (error) {
    return failed(error);
  }
}

function ask(question: Question, credentials: ClientCredentials | undefined): Eventually<Answer> {
  switch (question.kind) {
    case "psk":
      return map(question.realm.findPsk?.(question.identity), (key): Answer => ({ kind: "psk", key }));
    case "verify": {
      const verify = question.realm === undefined ? credentials?.verifyServer : question.realm.verifyClient;
      // Nobody to judge it is no reason to trust it.
      if (verify === undefined) return { kind: "failed", reason: "nothing verifies what the peer presented" };
      return map(verify(question.presented), (verdict): Answer => ({ kind: "verify", verdict }));
    }
    case "still-welcome":
      return map(question.realm.isStillWelcome?.(question.identity) ?? true, (welcome): Answer => ({ kind: "still-welcome", welcome }));
  }
}

function map<T, R>(value: Eventually<T>, then: (value: T) => R): Eventually<R> {
  return value instanceof Promise ? value.then(then) : then(value);
}

function failed(error: unknown): Answer {
  return { kind: "failed", reason: error instanceof Error ? error.message : "the look-up failed" };
}
