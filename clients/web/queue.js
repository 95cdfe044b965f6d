// SPDX-License-Identifier: Apache-2.0
//
// A queue between events that are pushed and an async iterator that takes them. What was pushed
// before the end is still delivered.

export class EventQueue {
	#items = [];
	#wake = null;
	#ending = null; // { error } once nothing more will be pushed

	push(item) {
		this.#items.push(item);
		this.#wake?.();
	}

	end(error) {
		this.#ending ??= { error };
		this.#wake?.();
	}

	// `release` is called once, when the iterator is done or dropped.
	async *drain(release) {
		try {
			for (;;) {
				if (this.#items.length)
					yield this.#items.shift();
				else if (this.#ending?.error)
					throw this.#ending.error;
				else if (this.#ending)
					return;
				else
					await new Promise(wake => { this.#wake = wake; });
			}
		} finally {
			release();
		}
	}
}
