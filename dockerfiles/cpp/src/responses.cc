#include "responses.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fault.h"

namespace sut {

namespace {

// One class for each sample: place of the biggest of a row's numbers, or, where `first` is 1, the row's only
// whole number. `first` is the number of the first class: 1 where a model has a class for the background
// before those of the labels.
class Argmax : public Encoder {
  public:
    Argmax(size_t batch, int32_t first) : classes_(batch), first_(first) {}

    Place encode(const Outputs& outputs, const std::byte* /*mask*/, size_t count) override {
        const Output& scores = outputs.at(0);
        const auto width = static_cast<size_t>(elements(scores.shape, 1));
        if (width == 0) throw Fault("argmax: the model's first output is empty");
        for (size_t row = 0; row < count; ++row)
            classes_[row] = class_of(scores.type, scores.data + row * scores.row_bytes(), width) - first_;
        return {reinterpret_cast<const std::byte*>(classes_.data()), sizeof(int32_t), sizeof(int32_t)};
    }

  private:
    template <typename T>
    static int32_t biggest_of(const std::byte* data, size_t width) {
        const T* row = reinterpret_cast<const T*>(data);
        return static_cast<int32_t>(std::max_element(row, row + width) - row);
    }

    int32_t class_of(DType type, const std::byte* data, size_t width) const {
        const bool told = first_ == 1 && width == 1 && (type == DType::i32 || type == DType::i64);
        return told ? static_cast<int32_t>(number_at(type, data, 0)) : biggest(type, data, width);
    }

    static int32_t biggest(DType type, const std::byte* data, size_t width) {
        switch (type) {
            case DType::f32:
                return biggest_of<float>(data, width);
            case DType::i8:
                return biggest_of<int8_t>(data, width);
            case DType::u8:
                return biggest_of<uint8_t>(data, width);
            case DType::i64:
                return biggest_of<int64_t>(data, width);
            default:
                break;
        }
        size_t best = 0;
        for (size_t place = 1; place < width; ++place)
            if (number_at(type, data, place) > number_at(type, data, best)) best = place;
        return static_cast<int32_t>(best);
    }

    std::vector<int32_t> classes_;
    int32_t first_;
};

// Mean of the last hidden states [n, tokens, width] over the mask [n, tokens], L2-normalised float32 [n,
// width]. An output [n, width] is pooled already and only normalised.
class MeanPool : public Encoder {
  public:
    MeanPool(DType mask_type, size_t tokens, size_t batch)
        : mask_type_(mask_type), tokens_(tokens), batch_(batch) {}

    Place encode(const Outputs& outputs, const std::byte* mask, size_t count) override {
        const Output& hidden = outputs.at(0);
        if (hidden.type != DType::f32) throw Fault("mean_pool: the model's first output is not float32");
        const size_t rank = hidden.shape.size();
        const bool pooled = rank == 2;
        const bool fits =
            pooled || (rank == 3 && static_cast<size_t>(hidden.shape[1]) == tokens_ && mask != nullptr);
        if (!fits) throw Fault("mean_pool: the attention mask does not fit the model's first output");
        const auto width = static_cast<size_t>(hidden.shape.back());
        if (vectors_.size() < batch_ * width) vectors_.resize(batch_ * width);
        const auto* states = reinterpret_cast<const float*>(hidden.data);
        for (size_t row = 0; row < count; ++row) {
            float* vector = vectors_.data() + row * width;
            if (pooled)
                std::copy_n(states + row * width, width, vector);
            else
                add_up(states + row * tokens_ * width, mask + row * tokens_ * size_of(mask_type_), width,
                       vector);
            normalise(vector, width);
        }
        return {reinterpret_cast<const std::byte*>(vectors_.data()), width * sizeof(float),
                width * sizeof(float)};
    }

  private:
    // Normalised afterwards, so the sum will do.
    void add_up(const float* states, const std::byte* mask, size_t width, float* vector) const {
        std::fill_n(vector, width, 0.0F);
        for (size_t token = 0; token < tokens_; ++token) {
            const auto weight = static_cast<float>(number_at(mask_type_, mask, token));
            if (weight == 0.0F) continue;
            const float* state = states + token * width;
            for (size_t place = 0; place < width; ++place) vector[place] += weight * state[place];
        }
    }

    static void normalise(float* vector, size_t width) {
        float squares = 0;
        for (size_t place = 0; place < width; ++place) squares += vector[place] * vector[place];
        const float norm = std::max(std::sqrt(squares), 1e-12F);
        for (size_t place = 0; place < width; ++place) vector[place] /= norm;
    }

    DType mask_type_;
    size_t tokens_;
    size_t batch_;
    std::vector<float> vectors_;
};

// All outputs of each sample, byte after byte in the graph's order.
class Raw : public Encoder {
  public:
    Place encode(const Outputs& outputs, const std::byte* /*mask*/, size_t count) override {
        if (outputs.size() == 1) return {outputs[0].data, outputs[0].row_bytes(), outputs[0].row_bytes()};
        size_t bytes = 0;
        for (const auto& output : outputs) bytes += output.row_bytes();
        if (answers_.size() < count * bytes) answers_.resize(count * bytes);
        size_t start = 0;
        for (const auto& output : outputs) {
            for (size_t row = 0; row < count; ++row)
                std::memcpy(answers_.data() + row * bytes + start, output.data + row * output.row_bytes(),
                            output.row_bytes());
            start += output.row_bytes();
        }
        return {answers_.data(), bytes, bytes};
    }

  private:
    std::vector<std::byte> answers_;
};

// float32 outputs of one shape, stacked on a new last axis: start and end logits side by side for each token.
class Stacked : public Encoder {
  public:
    Place encode(const Outputs& outputs, const std::byte* /*mask*/, size_t count) override {
        const size_t ways = outputs.size();
        for (const auto& output : outputs)
            if (output.type != DType::f32 || output.shape != outputs[0].shape)
                throw Fault("stacked: the model's outputs are not float32 of one shape");
        const auto each = static_cast<size_t>(elements(outputs[0].shape, 1));
        if (answers_.size() < count * each * ways) answers_.resize(count * each * ways);
        for (size_t way = 0; way < ways; ++way) {
            const auto* values = reinterpret_cast<const float*>(outputs[way].data);
            for (size_t place = 0; place < count * each; ++place)
                answers_[place * ways + way] = values[place];
        }
        const size_t bytes = each * ways * sizeof(float);
        return {reinterpret_cast<const std::byte*>(answers_.data()), bytes, bytes};
    }

  private:
    std::vector<float> answers_;
};

}  // namespace

std::unique_ptr<Encoder> encoder(const Dataset& dataset, size_t batch) {
    switch (dataset.response) {
        case Response::argmax:
            return std::make_unique<Argmax>(batch, 0);
        case Response::argmax_from_1:
            return std::make_unique<Argmax>(batch, 1);
        case Response::mean_pool:
            return std::make_unique<MeanPool>(dataset.mask->type, static_cast<size_t>(dataset.mask->shape[1]),
                                              batch);
        case Response::stacked:
            return std::make_unique<Stacked>();
        case Response::raw:
            break;
    }
    return std::make_unique<Raw>();
}

}  // namespace sut
