// From a model's outputs to the bytes that LoadGen is given for each sample.
#pragma once

#include <memory>

#include "dataset.h"
#include "runner.h"

namespace sut {

// Where the answers to a batch lie: the first one, bytes from one to the next, bytes of each.
struct Place {
    const std::byte* data = nullptr;
    size_t step_bytes = 0;
    size_t size_bytes = 0;
};

// Turns a batch's outputs into answers; one for each thread. The answers live until the next call.
class Encoder {
  public:
    Encoder() = default;
    Encoder(const Encoder&) = delete;
    Encoder& operator=(const Encoder&) = delete;
    virtual ~Encoder() = default;

    virtual Place encode(const Outputs& outputs, const std::byte* mask, size_t count) = 0;
};

// An encoder for batches of at most `batch` samples of a data set.
std::unique_ptr<Encoder> encoder(const Dataset& dataset, size_t batch);

}  // namespace sut
