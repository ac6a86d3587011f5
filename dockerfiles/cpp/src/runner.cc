#include "runner.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "config.h"
#include "fault.h"

namespace sut {

namespace {

// Outputs of several calls, joined in memory that is kept.
class Joined {
  public:
    void start(size_t count) {
        count_ = count;
        filled_ = 0;
    }

    // Adds the first `rows` samples of a call's outputs; `whole`: the outputs are one sample without a sample
    // axis.
    void add(const Outputs& pieces, size_t rows, bool whole) {
        pieces_.resize(pieces.size());
        outputs_.resize(pieces.size());
        for (size_t place = 0; place < pieces.size(); ++place) {
            const Output& piece = pieces[place];
            Output& output = outputs_[place];
            Shape shape{static_cast<int64_t>(count_)};
            shape.insert(shape.end(), piece.shape.begin() + (whole ? 0 : 1), piece.shape.end());
            if (filled_ > 0 && (output.shape != shape || output.type != piece.type))
                throw Fault("the model's outputs change their shape from sample to sample");
            output.type = piece.type;
            output.shape = std::move(shape);
            auto& memory = pieces_[place];
            memory.resize(std::max(memory.size(), count_ * output.row_bytes()));
            std::memcpy(memory.data() + filled_ * output.row_bytes(), piece.data, rows * output.row_bytes());
            output.data = memory.data();
        }
        filled_ += rows;
    }

    const Outputs& outputs() const { return outputs_; }

  private:
    size_t count_ = 0;
    size_t filled_ = 0;
    std::vector<std::vector<std::byte>> pieces_;
    Outputs outputs_;
};

Inputs moved(const Inputs& inputs, const std::vector<size_t>& row_bytes, size_t rows) {
    Inputs further(inputs);
    for (size_t place = 0; place < further.size(); ++place) further[place] += rows * row_bytes[place];
    return further;
}

class OpenRunner : public Runner {
  public:
    OpenRunner(Call call, size_t batch) : call_(std::move(call)), batch_(batch) {}

    size_t batch() const override { return batch_; }

    const Outputs& run(const Inputs& inputs, size_t count) override {
        call_(inputs, count, &outputs_);
        return outputs_;
    }

  private:
    Call call_;
    size_t batch_;
    Outputs outputs_;
};

class SizedRunner : public Runner {
  public:
    SizedRunner(std::map<size_t, Call> calls, std::vector<size_t> row_bytes)
        : calls_(std::move(calls)), row_bytes_(std::move(row_bytes)), padded_(row_bytes_.size()) {}

    size_t batch() const override { return calls_.rbegin()->first; }

    const Outputs& run(const Inputs& inputs, size_t count) override {
        const auto exact = calls_.find(count);
        if (exact != calls_.end()) {
            exact->second(inputs, count, &outputs_);
            return outputs_;
        }
        joined_.start(count);
        for (size_t done = 0; done < count;) done += run_some(moved(inputs, row_bytes_, done), count - done);
        return joined_.outputs();
    }

  private:
    size_t run_some(const Inputs& inputs, size_t left) {
        auto next = calls_.upper_bound(left);
        if (next == calls_.begin()) {  // the last few samples, the last of them repeated
            next->second(padded(inputs, left, next->first), next->first, &outputs_);
            joined_.add(outputs_, left, false);
            return left;
        }
        --next;
        next->second(inputs, next->first, &outputs_);
        joined_.add(outputs_, next->first, false);
        return next->first;
    }

    Inputs padded(const Inputs& inputs, size_t left, size_t size) {
        Inputs places;
        for (size_t place = 0; place < inputs.size(); ++place) {
            const size_t bytes = row_bytes_[place];
            padded_[place].resize(size * bytes);
            for (size_t row = 0; row < size; ++row)
                std::memcpy(padded_[place].data() + row * bytes,
                            inputs[place] + std::min(row, left - 1) * bytes, bytes);
            places.push_back(padded_[place].data());
        }
        return places;
    }

    std::map<size_t, Call> calls_;
    std::vector<size_t> row_bytes_;
    std::vector<std::vector<std::byte>> padded_;
    Outputs outputs_;
    Joined joined_;
};

class WholeRunner : public Runner {
  public:
    WholeRunner(Call call, std::vector<size_t> row_bytes)
        : call_(std::move(call)), row_bytes_(std::move(row_bytes)) {}

    size_t batch() const override { return 1; }

    const Outputs& run(const Inputs& inputs, size_t count) override {
        joined_.start(count);
        for (size_t row = 0; row < count; ++row) {
            call_(moved(inputs, row_bytes_, row), 1, &outputs_);
            joined_.add(outputs_, 1, true);
        }
        return joined_.outputs();
    }

  private:
    Call call_;
    std::vector<size_t> row_bytes_;
    Outputs outputs_;
    Joined joined_;
};

// No model at all: answers every sample with one zero. Measures the harness and LoadGen themselves.
class NullBackend : public Backend {
  public:
    explicit NullBackend(const Opening& opening) {
        chosen_options("null", opening.options, {});
        signature_.outputs.push_back({"zero", DType::f32, {{0, "batch"}, {1, ""}}});
    }

    std::string name() const override { return "null"; }
    std::string version() const override { return "1"; }
    const Signature& signature() const override { return signature_; }

    std::unique_ptr<Runner> runner(const SampleForm& /*form*/, size_t batch) override {
        auto zeros = std::make_shared<std::vector<float>>(batch);
        const auto call = [zeros](const Inputs&, size_t count, Outputs* outputs) {
            outputs->resize(1);
            Output& output = outputs->front();
            output.shape.resize(2, 1);
            output.shape[0] = static_cast<int64_t>(count);
            output.data = reinterpret_cast<const std::byte*>(zeros->data());
        };
        return open_runner(call, batch);
    }

  private:
    Signature signature_;
};

}  // namespace

std::unique_ptr<Runner> open_runner(Call call, size_t batch) {
    return std::make_unique<OpenRunner>(std::move(call), batch);
}

std::unique_ptr<Runner> sized_runner(std::map<size_t, Call> calls, std::vector<size_t> row_bytes) {
    return std::make_unique<SizedRunner>(std::move(calls), std::move(row_bytes));
}

std::unique_ptr<Runner> whole_runner(Call call, std::vector<size_t> row_bytes) {
    return std::make_unique<WholeRunner>(std::move(call), std::move(row_bytes));
}

std::unique_ptr<Backend> open_backend(const std::string& name, const Opening& opening) {
    if (name == "null") return std::make_unique<NullBackend>(opening);
    if (name != built_in_backend())
        throw Fault("the backend " + name + " is not in this image: it has " + built_in_backend(), kBadInput);
    struct stat facts{};
    if (stat(opening.model.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode))
        throw bad_input(opening.model, "no such model file");
    try {
        return open_built_in(opening);
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception& error) {
        if (exit_code_of(error) == kBadInput) throw;
        throw bad_input(opening.model, name + " cannot load it: " + error.what());
    }
}

}  // namespace sut
