// SPDX-License-Identifier: Apache-2.0
//
// A queue between events that are pushed and an async iterator that takes them. What was pushed
// before the end is still delivered.

export class EventQueue {
	/** @type {any[]} */
	#items = [];
	/** @type {(() => void) | null} */
	#wake = null;
	/** Once nothing more will be pushed. @type {{ error?: Error } | null} */
	#ending = null;

	/** @param {any} item */
	push(item) {
		this.#items.push(item);
		this.#wake?.();
	}

	/** @param {Error} [error]  thrown to whoever iterates; none: the iterator is done */
	end(error) {
		this.#ending ??= { error };
		this.#wake?.();
	}

	/** @param {() => void} release  called once, when the iterator is done or dropped */
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
					await new Promise(wake => { this.#wake = () => wake(null); });
			}
		} finally {
			release();
		}
	}
}
