// The runtimes behind one small interface, and what runs any number of samples over their calls.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "array.h"
#include "tensor.h"

namespace sut {

// One address for each input, in the graph's order: `count` samples lie there, one after another.
using Inputs = std::vector<const std::byte*>;
using Outputs = std::vector<Output>;

// One call of a runtime with exactly `count` samples. The outputs live until the next call.
using Call = std::function<void(const Inputs& inputs, size_t count, Outputs* outputs)>;

// One worker's way into a loaded model; used by one thread at a time.
class Runner {
  public:
    Runner() = default;
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;
    virtual ~Runner() = default;

    // Samples per call of the runtime at best.
    virtual size_t batch() const = 0;

    // Runs any `count` of samples, at least 1; every output has `count` as its first axis.
    virtual const Outputs& run(const Inputs& inputs, size_t count) = 0;
};

// Calls that take any number of samples up to `batch`.
std::unique_ptr<Runner> open_runner(Call call, size_t batch);

// Splits samples over calls that take exactly the given sizes; pads only where no call is small enough.
std::unique_ptr<Runner> sized_runner(std::map<size_t, Call> calls, std::vector<size_t> row_bytes);

// One call per sample with its full tensors, for graphs without a batch axis.
std::unique_ptr<Runner> whole_runner(Call call, std::vector<size_t> row_bytes);

// How a model is to be opened.
struct Opening {
    std::string model;
    int threads = 1;  // of each lane
    std::map<std::string, std::string> options;
};

// Shapes and sizes of one sample's inputs, in the graph's order.
struct SampleForm {
    std::vector<Shape> shapes;
    std::vector<size_t> row_bytes;
};

// A loaded model.
class Backend {
  public:
    Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;
    virtual ~Backend() = default;

    virtual std::string name() const = 0;
    virtual std::string version() const = 0;
    virtual const Signature& signature() const = 0;

    // A new runner for samples of that form; throws where the graph refuses the batch.
    virtual std::unique_ptr<Runner> runner(const SampleForm& form, size_t batch) = 0;
};

// The backend of that name in this program; a Fault (exit 2) where it is another program's, or the model's
// fault.
std::unique_ptr<Backend> open_backend(const std::string& name, const Opening& opening);

// The one runtime that this program was built with.
std::string built_in_backend();
std::unique_ptr<Backend> open_built_in(const Opening& opening);

}  // namespace sut
