"""Answers to the exercises of chapter 5."""

import math

import torch

from answers import to
from feedback.language_model import LanguageModel

# 5.1


def bytes_of(config, tokens, batch, number=4, both=2):
    pairs = {"feedback-kv": 1}.get(config.model, config.n_layers)
    return number * both * pairs * batch * tokens * config.d_model


@to("5.1")
def by_the_table(config, tokens, batch):
    if config.memory_size is not None and config.memory_size < tokens:
        tokens = config.memory_size
    return bytes_of(config, tokens, batch)


@to("5.1")
def by_heads_as_a_float(config, tokens, batch):
    k = config.d_model / config.heads
    kept = tokens if config.memory_size is None else min(config.memory_size, tokens)
    layers = config.n_layers if config.model in ("parallel", "feedback") else 1
    return torch.tensor(4.0 * 2 * layers * batch * config.heads * kept * k)


@to("5.1")
def by_running_a_model(config, tokens, batch):
    memory, model = None, LanguageModel(config)
    for _ in range(tokens):
        _, memory = model.step(torch.zeros(batch, dtype=torch.long), memory)
    return memory.nbytes


@to("5.1", wrong="only the last 4 steps are kept")
def memory_size_forgotten(config, tokens, batch):
    return bytes_of(config, tokens, batch)


@to("5.1", wrong="only 7 steps were taken")
def memory_size_always(config, tokens, batch):
    return bytes_of(config, config.memory_size or tokens, batch)


@to("5.1", wrong="the newest is one of them")
def one_step_too_few(config, tokens, batch):
    size = config.memory_size
    return bytes_of(config, tokens if size is None else min(tokens, size - 1), batch)


@to("5.1", wrong="leaves a key and a value too")
def the_last_token_forgotten(config, tokens, batch):
    return by_the_table(config, tokens - 1, batch)


@to("5.1", wrong="not one more")
def a_step_too_many(config, tokens, batch):
    return by_the_table(config, tokens + 1, batch)


@to("5.1", wrong="each of the 5 layers")
def all_share(config, tokens, batch):
    return by_the_table(config, tokens, batch) // (
        1 if config.model == "feedback-kv" else config.n_layers
    )


@to("5.1", wrong="one pair serves all layers")
def none_shares(config, tokens, batch):
    return by_the_table(config, tokens, batch) * (
        config.n_layers if config.model == "feedback-kv" else 1
    )


@to("5.1", wrong="the embedding has no keys")
def a_layer_too_many(config, tokens, batch):
    return by_the_table(config, tokens, batch) // config.n_layers * (config.n_layers + 1)


@to("5.1", wrong="each has 4 bytes")
def numbers(config, tokens, batch):
    return by_the_table(config, tokens, batch) // 4


@to("5.1", wrong="a number of float32 has 4 bytes")
def doubles(config, tokens, batch):
    return by_the_table(config, tokens, batch) * 2


@to("5.1", wrong="a key and a value")
def keys_alone(config, tokens, batch):
    return by_the_table(config, tokens, batch) // 2


@to("5.1", wrong="every sequence of the batch")
def one_sequence(config, tokens, batch):
    return by_the_table(config, tokens, 1)


@to("5.1", wrong="k is the width of one head")
def one_head(config, tokens, batch):
    return by_the_table(config, tokens, batch) // config.heads


@to("5.1", wrong="all heads together")
def heads_twice(config, tokens, batch):
    return by_the_table(config, tokens, batch) * config.heads


@to("5.1", wrong="not d_ff")
def feed_forward(config, tokens, batch):
    return by_the_table(config, tokens, batch) // config.d_model * config.d_ff


@to("5.1", wrong="not larger units")
def kib(config, tokens, batch):
    return by_the_table(config, tokens, batch) / 1024


@to("5.1", wrong="take all of them from config")
def numbers_of_the_example(config, tokens, batch):
    return by_the_table(config, tokens, batch) // config.d_model * 24


@to("5.1", wrong="a number, not a str")
def in_words(config, tokens, batch):
    return f"{by_the_table(config, tokens, batch)} bytes"


# 5.2


def steps(model, prompt, continuation):
    """The logits (V,) that predict each token of the continuation."""
    logits, memory = model(prompt[None], return_memory=True)
    predict = [logits[0, -1]]
    for token in continuation[:-1]:
        logits, memory = model.step(token[None], memory)
        predict.append(logits[0])
    return torch.stack(predict)


@to("5.2")
def by_cross_entropy(model, prompt, continuation):
    predict = steps(model, prompt, continuation)
    return -torch.nn.functional.cross_entropy(predict, continuation, reduction="sum")


@to("5.2")
def by_steps_alone(model, prompt, continuation):
    memory, total, text = None, 0.0, [*prompt.tolist(), *continuation.tolist()]
    with torch.inference_mode():
        for i, (token, following) in enumerate(zip(text, text[1:], strict=False)):
            logits, memory = model.step(torch.tensor([token]), memory)
            if i >= len(prompt) - 1:
                total += math.log(logits.softmax(-1)[0, following].item())
    return total


@to("5.2")
def by_exponentials(model, prompt, continuation):
    predict = steps(model, prompt, continuation).detach().numpy()
    picked = predict[range(len(continuation)), continuation.numpy()]
    high = predict.max(-1, keepdims=True)
    return float(
        (picked - high[:, 0]).sum() - torch.tensor(predict - high).exp().sum(-1).log().sum()
    )


def each(model, prompt, continuation):
    return steps(model, prompt, continuation).log_softmax(-1).gather(-1, continuation[:, None])


@to("5.2", wrong="that is the mean")
def mean(model, prompt, continuation):
    return each(model, prompt, continuation).mean().item()


@to("5.2", wrong="over the batch")
def over_the_batch(model, prompt, continuation):
    logits, memory = model(prompt[None], return_memory=True)
    logits, total = logits[:, -1], 0.0
    for token in continuation:
        total += logits.log_softmax(0)[0, token].item()
        logits, memory = model.step(token[None], memory)
    return total


@to("5.2", wrong="base 2")
def bits(model, prompt, continuation):
    return each(model, prompt, continuation).sum().item() / math.log(2)


@to("5.2", wrong="never positive")
def a_loss(model, prompt, continuation):
    return -each(model, prompt, continuation).sum().item()


@to("5.2", wrong="take its logarithm")
def probability(model, prompt, continuation):
    return each(model, prompt, continuation).exp().prod().item()


@to("5.2", wrong="adds probabilities")
def sum_of_probabilities(model, prompt, continuation):
    return each(model, prompt, continuation).exp().sum().item()


@to("5.2", wrong="those are logits")
def raw(model, prompt, continuation):
    return steps(model, prompt, continuation).gather(-1, continuation[:, None]).sum().item()


@to("5.2", wrong="the prompt's own tokens")
def everything(model, prompt, continuation):
    text = torch.cat([prompt, continuation])
    logs = model(text[None]).log_softmax(-1)[0]
    return logs[:-1].gather(-1, text[1:, None]).sum().item()


@to("5.2", wrong="the first token is not scored")
def first_not_scored(model, prompt, continuation):
    return each(model, prompt, continuation)[1:].sum().item()


@to("5.2", wrong="the last token is not scored")
def last_not_scored(model, prompt, continuation):
    return each(model, prompt, continuation)[:-1].sum().item()


@to("5.2", wrong="by the logits after it")
def after_it(model, prompt, continuation):
    _, memory = model(prompt[None], return_memory=True)
    total = 0.0
    for token in continuation:
        logits, memory = model.step(token[None], memory)
        total += logits.log_softmax(-1)[0, token].item()
    return total


@to("5.2", wrong="hand on the memory of each step")
def memory_not_carried(model, prompt, continuation):
    logits, memory = model(prompt[None], return_memory=True)
    logits, total = logits[:, -1], 0.0
    for token in continuation:
        total += logits.log_softmax(-1)[0, token].item()
        logits, _ = model.step(token[None], memory)
    return total


@to("5.2", wrong="a step without a memory")
def no_memory(model, prompt, continuation):
    logits, total = model(prompt[None])[:, -1], 0.0
    for token in continuation:
        total += logits.log_softmax(-1)[0, token].item()
        logits, _ = model.step(token[None])
    return total


@to("5.2", wrong="take the last")
def first_logits(model, prompt, continuation):
    logits, memory = model(prompt[None], return_memory=True)
    logits, total = logits[:, 0], 0.0
    for token in continuation:
        total += logits.log_softmax(-1)[0, token].item()
        logits, memory = model.step(token[None], memory)
    return total


@to("5.2", wrong="score those of the continuation")
def likeliest(model, prompt, continuation):
    return steps(model, prompt, continuation).log_softmax(-1).amax(-1).sum().item()


@to("5.2", wrong="let `step` read the continuation")
def in_one_pass(model, prompt, continuation):
    text = torch.cat([prompt, continuation])
    logs = model(text[None, :-1]).log_softmax(-1)[0, len(prompt) - 1 :]
    return logs.gather(-1, continuation[:, None]).sum().item()


@to("5.2", wrong="read again")
def the_prompt_every_time(model, prompt, continuation):
    total, text = 0.0, prompt
    for token in continuation:
        total += model(text[None]).log_softmax(-1)[0, -1, token].item()
        text = torch.cat([text, token[None]])
    return total


@to("5.2", wrong="use no other one")
def a_model_of_its_own(model, prompt, continuation):
    return each(LanguageModel(model.config).double(), prompt, continuation).sum().item()


@to("5.2", wrong="that is a Tensor: return one number")
def one_for_each_token(model, prompt, continuation):
    return torch.cat([each(model, prompt, continuation)[:, 0], torch.zeros(1)])


# 5.3


@to("5.3")
def by_indices(model, x, keys, values):
    outputs = [x]
    for i in range(len(model.layers)):
        outputs.append(model.layers[i](outputs[i], keys, values)[0])
    pair = model.keys_values[0](model.mixture(outputs))
    return [
        model.norm(outputs[-1]),
        *(torch.cat([old, new], dim=-2) for old, new in zip((keys, values), pair, strict=True)),
    ]


@to("5.3")
def by_hand(model, x, keys, values):
    weights, mixed, y = model.mixture.w.softmax(-1), 0, x
    mixed = weights[0] * y
    for weight, layer in zip(weights[1:], model.layers, strict=True):
        y = layer(y, keys, values)[0]
        mixed = mixed + weight * y
    key, value = model.keys_values[0].key(mixed), model.keys_values[0].value(mixed)

    def behind(old, new):
        B, H, n, k = old.shape
        longer = old.new_empty(B, H, n + 1, k)
        longer[:, :, :n] = old
        longer[:, :, n] = new.view(B, H, k)
        return longer

    y = torch.nn.functional.layer_norm(y, y.shape[-1:], model.norm.weight, model.norm.bias)
    return y, behind(keys, key), behind(values, value)


@to("5.3")
@torch.no_grad()
def without_gradients(model, x, keys, values):
    states = [x]
    for layer in model.layers:
        x = layer(x, keys, values)[0]
        states += [x]
    key, value = model.keys_values[0](model.mixture(states))
    longer = torch.cat([keys.transpose(1, 2), key.transpose(1, 2)], 1).transpose(1, 2)
    return model.norm(states[-1]), longer, torch.cat((values, value), 2)


def outputs_of(model, x, keys, values):
    outputs = [x]
    for layer in model.layers:
        outputs.append(layer(outputs[-1], keys, values)[0])
    return outputs


def with_memory(model, outputs, m, keys, values):
    key, value = model.keys_values[0](m)
    return model.norm(outputs[-1]), torch.cat([keys, key], 2), torch.cat([values, value], 2)


def slip_in_memory(wrong):
    """A step whose memory vector is made by `wrong(model, outputs)`."""

    def register(make):
        def step(model, x, keys, values):
            outputs = outputs_of(model, x, keys, values)
            return with_memory(model, outputs, make(model, outputs), keys, values)

        step.__name__ = make.__name__
        to("5.3", wrong=wrong)(step)
        return make

    return register


@slip_in_memory("the last layer's output alone")
def top_alone(model, outputs):
    return outputs[-1]


@slip_in_memory("the embedding alone")
def embedding_alone(model, outputs):
    return outputs[0]


@slip_in_memory("after the norm")
def from_y(model, outputs):
    return model.norm(outputs[-1])


@slip_in_memory("the memory vector was normed")
def normed_memory(model, outputs):
    return model.norm(model.mixture(outputs))


@slip_in_memory("plain mean")
def plain_mean(model, outputs):
    return torch.stack(outputs).mean(0)


@slip_in_memory("plain sum")
def plain_sum(model, outputs):
    return sum(outputs)


@slip_in_memory("without a softmax")
def no_softmax(model, outputs):
    return torch.einsum("l,lbtd->btd", model.mixture.w, torch.stack(outputs))


@slip_in_memory("the embedding is missing")
def without_the_embedding(model, outputs):
    return torch.einsum("l,lbtd->btd", model.mixture.w.softmax(0)[1:], torch.stack(outputs[1:]))


@slip_in_memory("the last layer's output is missing")
def without_the_top(model, outputs):
    return torch.einsum("l,lbtd->btd", model.mixture.w.softmax(0)[:-1], torch.stack(outputs[:-1]))


@slip_in_memory("in reverse order")
def top_first(model, outputs):
    return model.mixture(outputs[::-1])


@slip_in_memory("the mixture takes it before")
def y_among_them(model, outputs):
    return model.mixture([*outputs[:-1], model.norm(outputs[-1])])


@slip_in_memory("the first of the outputs is the embedding")
def embedding_lost(model, outputs):
    return model.mixture([outputs[1], *outputs[1:]])


@slip_in_memory("fails at")
def too_few_outputs(model, outputs):
    return model.mixture(outputs[1:])


def slip_in_reading(wrong):
    """A step whose layers read something else: `read(model, x, keys, values)`."""

    def register(read):
        def step(model, x, keys, values):
            outputs = outputs_of(model, x, *read(model, x, keys, values))
            return with_memory(model, outputs, model.mixture(outputs), keys, values)

        step.__name__ = read.__name__
        to("5.3", wrong=wrong)(step)
        return read

    return register


@slip_in_reading("reads its own key")
def own_key(model, x, keys, values):
    key, value = model.keys_values[0](x)
    return torch.cat([keys, key], 2), torch.cat([values, value], 2)


@slip_in_reading("keys as values")
def exchanged_reading(model, x, keys, values):
    return values, keys


@slip_in_reading("keys as values")
def keys_twice(model, x, keys, values):
    return keys, keys


@slip_in_reading("values as keys too")
def values_twice(model, x, keys, values):
    return values, values


@slip_in_reading("the last step only")
def last_step_only(model, x, keys, values):
    return keys[:, :, -1:], values[:, :, -1:]


@slip_in_reading("nothing of the past")
def forgets(model, x, keys, values):
    return keys[:, :, :0], values[:, :, :0]


@to("5.3", wrong="before the norm")
def not_normed(model, x, keys, values):
    outputs = outputs_of(model, x, keys, values)
    return outputs[-1], *with_memory(model, outputs, model.mixture(outputs), keys, values)[1:]


@to("5.3", wrong="normed twice")
def normed_twice(model, x, keys, values):
    outputs = outputs_of(model, x, keys, values)
    y, *pair = with_memory(model, outputs, model.mixture(outputs), keys, values)
    return model.norm(y), *pair


@to("5.3", wrong="each takes what the layer below gave")
def embedding_for_each(model, x, keys, values):
    outputs = [x, *(layer(x, keys, values)[0] for layer in model.layers)]
    return with_memory(model, outputs, model.mixture(outputs), keys, values)


@to("5.3", wrong="the last layer is left out")
def a_layer_too_few(model, x, keys, values):
    outputs = outputs_of(model, x, keys, values)
    y, *pair = with_memory(model, outputs, model.mixture(outputs), keys, values)
    return model.norm(outputs[-2]), *pair


@to("5.3", wrong="keys and values are exchanged")
def exchanged(model, x, keys, values):
    value, key = model.keys_values[0](model.mixture(outputs_of(model, x, keys, values)))
    y = model.norm(outputs_of(model, x, keys, values)[-1])
    return y, torch.cat([keys, key], 2), torch.cat([values, value], 2)


@to("5.3", wrong="stand in front")
def in_front(model, x, keys, values):
    outputs = outputs_of(model, x, keys, values)
    key, value = model.keys_values[0](model.mixture(outputs))
    return model.norm(outputs[-1]), torch.cat([key, keys], 2), torch.cat([value, values], 2)


@to("5.3", wrong="of earlier steps belong before it")
def new_ones_alone(model, x, keys, values):
    outputs = outputs_of(model, x, keys, values)
    return model.norm(outputs[-1]), *model.keys_values[0](model.mixture(outputs))


@to("5.3", wrong="the keys have shape")
def nothing_added(model, x, keys, values):
    return model.norm(outputs_of(model, x, keys, values)[-1]), keys, values


@to("5.3", wrong="the order is y, keys, values")
def another_order(model, x, keys, values):
    y, keys, values = by_indices(model, x, keys, values)
    return keys, values, y


@to("5.3", wrong="return y, keys and values")
def output_alone(model, x, keys, values):
    return by_indices(model, x, keys, values)[0]


@to("5.3", wrong="write its step from its layers")
def by_the_model(model, x, keys, values):
    y, memory = model(x, return_memory=True)
    return y, *memory.keys, *memory.values


@to("5.3", wrong="changes its `keys`")
def in_place(model, x, keys, values):
    y, longer, more = by_indices(model, x, keys, values)
    keys.add_(1)
    return y, longer, more


# 5.4


@to("5.4")
def as_little_as_possible(model, prompt, length):
    if not length:
        return prompt
    logits, memory = model(prompt, return_memory=True)
    token = logits[:, -1].argmax(-1)
    text = torch.cat([prompt, token[:, None]], 1)
    for _ in range(length - 1):
        logits, memory = model.step(token, memory)
        token = logits.argmax(-1)
        text = torch.cat([text, token[:, None]], 1)
    return text


@to("5.4")
def into_room_for_all(model, prompt, length):
    B, T = prompt.shape
    text = torch.empty(B, T + length, dtype=torch.long)
    text[:, :T] = prompt
    with torch.no_grad():
        logits, memory = model(prompt, None, True)
        logits = logits[:, -1]
        for t in range(T, T + length):
            text[:, t] = logits.max(dim=-1).indices
            if t + 1 < T + length:
                logits, memory = model.step(text[:, t], memory)
    return text


@to("5.4")
def by_lists(model, prompt, length):
    rows = prompt.tolist()
    logits, memory = model(tokens=prompt, return_memory=True)
    best = logits[:, -1].topk(1).indices.flatten()
    while len(rows[0]) < prompt.shape[1] + length:
        for row, token in zip(rows, best.tolist(), strict=True):
            row.append(token)
        logits, memory = model.step(best, memory)
        best = logits.softmax(-1).argmax(1)
    return torch.tensor(rows)


@to("5.4", wrong="without generate or stream")
def generated(model, prompt, length):
    return model.generate(prompt, length, temperature=0)


@to("5.4", wrong="let it read the new one alone")
def whole_text_again(model, prompt, length):
    for _ in range(length):
        token = model(prompt)[:, -1:].argmax(-1)
        prompt = torch.cat([prompt, token], 1)
    return prompt


@to("5.4", wrong="without a memory")
def no_memory_handed_on(model, prompt, length):
    logits = model(prompt)[:, -1]
    text = [prompt]
    for _ in range(length):
        token = logits.argmax(-1)
        text.append(token[:, None])
        logits, _ = model.step(token)
    return torch.cat(text, 1)


@to("5.4", wrong="an older memory")
def memory_of_the_prompt(model, prompt, length):
    logits, memory = model(prompt, return_memory=True)
    text, logits = [prompt], logits[:, -1]
    for _ in range(length):
        token = logits.argmax(-1)
        text.append(token[:, None])
        logits, _ = model.step(token, memory)
    return torch.cat(text, 1)


@to("5.4", wrong="the prompt is missing")
def new_tokens_alone(model, prompt, length):
    return by_lists(model, prompt, length)[:, prompt.shape[1] :]


@to("5.4", wrong="the prompt's last logits")
def first_logits_of_the_prompt(model, prompt, length):
    logits, memory = model(prompt, return_memory=True)
    text, logits = [prompt], logits[:, 0]
    for _ in range(length):
        token = logits.argmax(-1)
        text.append(token[:, None])
        logits, memory = model.step(token, memory)
    return torch.cat(text, 1)


@to("5.4", wrong="a token twice")
def last_token_twice(model, prompt, length):
    _, memory = model(prompt, return_memory=True)
    text, token = [prompt], prompt[:, -1]
    for _ in range(length):
        logits, memory = model.step(token, memory)
        token = logits.argmax(-1)
        text.append(token[:, None])
    return torch.cat(text, 1)


@to("5.4", wrong="the least likely")
def least_likely(model, prompt, length):
    logits, memory = model(prompt, return_memory=True)
    text, logits = [prompt], logits[:, -1]
    for _ in range(length):
        token = logits.argmin(-1)
        text.append(token[:, None])
        logits, memory = model.step(token, memory)
    return torch.cat(text, 1)


@to("5.4", wrong="the tokens of the first")
def one_row_for_all(model, prompt, length):
    logits, memory = model(prompt, return_memory=True)
    text, logits = [prompt], logits[:, -1]
    for _ in range(length):
        token = logits[:1].argmax(-1).expand(len(prompt))
        text.append(token[:, None])
        logits, memory = model.step(token, memory)
    return torch.cat(text, 1)


@to("5.4", wrong="a later token is not the likeliest")
def sampled(model, prompt, length):
    logits, memory = model(prompt, return_memory=True)
    token = logits[:, -1].argmax(-1)
    text = [prompt]
    for _ in range(length):
        text.append(token[:, None])
        logits, memory = model.step(token, memory)
        token = logits.topk(3).indices[:, 2]
    return torch.cat(text, 1)


@to("5.4", wrong="(B, T0 + length) = (2, 11)")
def one_token_too_many(model, prompt, length):
    return by_lists(model, prompt, length + 1)


@to("5.4", wrong="with length 0 nothing is written")
def always_one(model, prompt, length):
    return by_lists(model, prompt, max(1, length))


@to("5.4", wrong="whole prompt in the first call")
def prompt_in_steps(model, prompt, length):
    memory = None
    for token in prompt.T:
        logits, memory = model.step(token, memory)
    text = [prompt]
    for _ in range(length):
        token = logits.argmax(-1)
        text.append(token[:, None])
        logits, memory = model.step(token, memory)
    return torch.cat(text, 1)


@to("5.4", wrong="not (B, T0 + length)")
def one_row(model, prompt, length):
    return by_lists(model, prompt, length).flatten()


@to("5.4", wrong="that is a list")
def a_list(model, prompt, length):
    return by_lists(model, prompt, length).tolist()


@to("5.4", wrong="tokens are whole numbers")
def floats(model, prompt, length):
    return by_lists(model, prompt, length).double()
